"""The addresses of reading over HTTP, for each registered feed: include them under a prefix such as ``api/``.

An address that ends in a key takes any text there: what is no key is refused like what is missing.
"""

from typing import Any

from django.urls import URLPattern, path, re_path

from . import views as reading
from .feeds import Feed, all_feeds

app_name = "realtime"


def _addresses(feed: type[Feed]) -> list[URLPattern]:
    views: Any = reading  # Django's types know no async views
    kwargs, record = {"feed_name": feed.name}, rf"^{feed.plural}/(?P<key>[^/]*)"
    return [
        re_path(rf"^{feed.plural}/stream$", views.board_stream, kwargs, name=f"{feed.name}-board-stream"),
        re_path(rf"^{feed.plural}/sync$", views.sync, kwargs, name=f"{feed.name}-sync"),
        re_path(rf"{record}/stream$", views.record_stream, kwargs, name=f"{feed.name}-stream"),
        re_path(rf"{record}/state$", views.record_state, kwargs, name=f"{feed.name}-state"),
        re_path(rf"{record}/events$", views.record_events, kwargs, name=f"{feed.name}-events"),
    ]


_views: Any = reading
urlpatterns = [
    path("realtime/ticket", _views.ticket, name="ticket"),
    *(address for feed in all_feeds() for address in _addresses(feed)),
]
