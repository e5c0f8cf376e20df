"""A socket that is refused: what every socket does on its way in and out, and what closes with 4404 whatever comes."""

import asyncio
import logging
import math
import time
from typing import Any, NoReturn

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from . import conf, metrics
from .address import address_in
from .protocol.closing import OFFENCES, Close
from .quotas import Over, Place, Quotas

logger = logging.getLogger("realtime.consumers")

DENIAL = "websocket.http.response"
"""ASGI's extension that lets an application answer a handshake with a status of its choice."""


class RefusingConsumer(AsyncWebsocketConsumer):
    """Closes with 4404 whatever comes: what is not there and what is not yours look the same."""

    channel_layer_alias = ""  # the hub listens for all: no channel, and no SUBSCRIBE, a socket
    _place: Place | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Whatever ends it, a cancelled task and an error too: it leaves."""
        try:
            return await super().__call__(scope, receive, send)
        finally:
            self.leave()

    async def dispatch(self, message: Any) -> None:
        """Call what handles ``message``. The stock way looks in a thread for old connections first, for each frame; a
        consumer that reads the database itself does so with ``database_sync_to_async``, which looks as well.
        """
        handler = getattr(self, get_handler_name(message), None)
        await (super().dispatch if handler is None else handler)(message)

    def leave(self) -> None:
        """Forget the socket, and give its place back."""
        if self._place is not None:
            self._place.leave()

    async def connect(self) -> None:
        started = time.monotonic()
        await self.arrive()
        await self.accept()
        await self.refuse(Close.NOT_FOUND, started)

    async def arrive(self) -> None:
        """Take a place among the strangers of this address; deny the handshake with 429 where there is none.

        A server without the extension for it, such as Daphne's own, says 403.
        """
        found = await Quotas.current().arrive(address_in(self.scope))
        if not isinstance(found, Place):
            await self._deny(found)
        self._place = found

    async def _deny(self, over: Over) -> NoReturn:
        metrics.refused.labels("429").inc()
        if DENIAL in (self.scope.get("extensions") or {}):
            send: Any = self.base_send
            headers = [(b"retry-after", str(math.ceil(over.retry_after)).encode())]
            await send({"type": f"{DENIAL}.start", "status": 429, "headers": headers})
            await send({"type": f"{DENIAL}.body", "body": b""})
        else:
            await self.close()
        raise StopConsumer

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the socket, and remember it when it is for what its client sent."""
        self._judge(code)
        await self._close(code, reason)

    def _judge(self, code: int | None) -> None:
        if code in OFFENCES and self._place is not None:
            self._place.offend()

    async def _close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close; autobahn takes a plain integer only. One that its peer has just left is closed already."""
        try:
            await super().close(None if code is None else int(code), reason)
        except (OSError, RuntimeError) as error:  # uvicorn raises
            logger.debug("a close came too late for its socket: %s", error)

    async def refuse(self, code: Close, started: float) -> None:
        """Close with ``code`` at a fixed time after ``started``, so that the time tells nothing either (I20)."""
        metrics.refused.labels(str(code.value)).inc()
        await asyncio.sleep(max(0.0, started + conf.current().refusal_seconds - time.monotonic()))
        await self._close(code)

    async def websocket_disconnect(self, message: Any) -> None:
        self._judge(message.get("code"))
        raise StopConsumer
