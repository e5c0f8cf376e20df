"""The marketplace's application, whose sockets are never answered: ``daphne tests.mute:application``."""

import asyncio
from typing import Any

from gameBoosterss.asgi import application as marketplace


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await asyncio.Event().wait()
    await marketplace(scope, receive, send)
