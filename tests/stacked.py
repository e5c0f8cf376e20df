"""The marketplace's application with Channels' own sessions in front of our consumers, as another project may have it.

``daphne tests.stacked:application``
"""

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter

from gameBoosterss.asgi import http
from realtime.gateways.origin import AllowedOrigins
from realtime.routing import websocket_urlpatterns

sockets = AuthMiddlewareStack(URLRouter(websocket_urlpatterns))  # type: ignore[arg-type] # the stubs want subclasses
application = ProtocolTypeRouter({"http": http, "websocket": AllowedOrigins(sockets)})
