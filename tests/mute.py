"""The marketplace's application, whose sockets are never answered: ``daphne tests.mute:application``."""

import asyncio
from typing import Any

from gameBoosterss.asgi import application as marketplace


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await asyncio.Event().wait()
    await marketplace(scope, receive, send)


async def hesitant(scope: Any, receive: Any, send: Any) -> None:
    """Accept a socket after a second, and say nothing."""
    if scope["type"] != "websocket":
        await marketplace(scope, receive, send)
        return
    await receive()
    await asyncio.sleep(1)
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass
