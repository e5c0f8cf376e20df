"""An application whose sockets say back what they hear, for what judges a server alone: ``tests.echo:application``."""

from contextlib import suppress
from typing import Any

from gameBoosterss.asgi import application as marketplace


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        await marketplace(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (said := await receive())["type"] == "websocket.receive":
        with suppress(OSError, RuntimeError):  # he has just left
            await send({"type": "websocket.send", "text": said.get("text"), "bytes": said.get("bytes")})
