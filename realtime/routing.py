"""Socket addresses: one for each registered feed, such as ``/ws/orders/<key>/``, and one for all of its records.

Import it after ``get_asgi_application()``: the feeds are registered when the apps are ready.
"""

from typing import Any

from django.urls import URLPattern, re_path

from .consumers import SyncConsumer
from .feeds import all_feeds
from .refusals import RefusingConsumer


def _address(pattern: str, consumer: Any) -> URLPattern:
    """Return ``pattern`` with an ASGI application behind it: Django's types know views only."""
    address: URLPattern = re_path(pattern, consumer)
    return address


websocket_urlpatterns = [
    *(_address(rf"^ws/{feed.plural}/$", SyncConsumer.as_asgi(feed_name=feed.name)) for feed in all_feeds()),
    *(
        _address(rf"^ws/{feed.plural}/(?P<key>[^/]*)/$", SyncConsumer.as_asgi(feed_name=feed.name))
        for feed in all_feeds()
    ),
    # URLRouter raises for a path that no pattern takes; a stranger gets a close code instead of our traceback.
    _address(r"", RefusingConsumer.as_asgi()),
]
