"""The marketplace's application with a door that says whether its hub rests: ``daphne tests.resting:application``."""

from typing import Any

from gameBoosterss.asgi import application as marketplace
from realtime.hub import Hub


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http" or scope["path"] != "/rests":
        await marketplace(scope, receive, send)
        return
    rests = Hub.current()._reader is None  # it has ended with its last socket
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"yes" if rests else b"no"})
