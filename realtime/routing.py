"""Socket addresses: one for each registered feed, such as ``/ws/orders/<key>/``.

Import it after ``get_asgi_application()``: the feeds are registered when the apps are ready.
"""

from django.urls import re_path

from .consumers import RefusingConsumer, SyncConsumer
from .feeds import all_feeds

websocket_urlpatterns = [
    *(re_path(rf"^ws/{feed.plural}/(?P<key>[^/]*)/$", SyncConsumer.as_asgi(feed_name=feed.name)) for feed in all_feeds()),
    # URLRouter raises for a path that no pattern takes; a stranger gets a close code instead of our traceback.
    re_path(r"", RefusingConsumer.as_asgi()),
]
