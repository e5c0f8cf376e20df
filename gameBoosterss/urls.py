"""Every address of the marketplace; the apps bring their own lists."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path

from gameBoosterss.api import api
from gameBoosterss.health import health

# An app that has a urls module is reached under its prefix.
PREFIXES = {
    "accounts": "accounts/",
    "orders": "orders/",
    "wallet": "wallet/",
    "realtime": "api/",
    "dashboards": "",
}

urlpatterns = [
    path("healthz", health, name="health"),
    path("admin/", admin.site.urls),
    *[path(prefix, include(f"{app}.urls")) for app, prefix in PREFIXES.items() if find_spec(f"{app}.urls")],
    path("api/", api.urls),  # behind those of realtime, which are under the same prefix
]
