"""The application that ``daphne gameBoosterss.asgi:application`` serves: HTTP and WebSocket."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from daphne import cli
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gameBoosterss.settings")
http = get_asgi_application()  # loads the apps: what follows may import models

from gameBoosterss.access import AccessLog  # noqa: E402
from realtime.gateways.daphne import Server  # noqa: E402
from realtime.gateways.origin import AllowedOrigins  # noqa: E402
from realtime.routing import websocket_urlpatterns  # noqa: E402

# The stock command line reads both after it has imported the application.
cli.CommandLineInterface.server_class = Server
cli.AccessLogGenerator = AccessLog

application = ProtocolTypeRouter(
    {
        "http": http,
        # No AuthMiddlewareStack: realtime reads the session's cookie itself, for all who come at once.
        "websocket": AllowedOrigins(URLRouter(websocket_urlpatterns)),  # type: ignore[arg-type] # the stubs want subclasses
    }
)
