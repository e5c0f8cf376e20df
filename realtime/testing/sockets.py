"""A viewer's socket in the test's own process: the consumer, the hub and the relay, without a server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async

from .history import Frame, difference, row_as_seen, topic_of, values_in

PATIENCE = 30.0
"""Seconds that a socket waits for its next frame at most; a wait ends with its condition."""


@asynccontextmanager
async def connect_as(
    user: Any,
    path: str,
    *,
    application: Any = None,
    patience: float = PATIENCE,
    protocol: str = "",
    session: str | None = None,
    ticket: str = "",
    bearer: str = "",
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator["Socket"]:
    """Open the socket ``path`` as ``user``; ``None`` is nobody. It is closed at the end of the block.

    ``session``: the key of a session; the socket is opened with its cookie, as a browser does, and not as ``user``.
    So it is with ``ticket``, which goes along as a subprotocol, with the token ``bearer``, and with other ``headers``.
    ``application``: an ASGI application for sockets; default: the addresses of all feeds (``realtime.routing``).
    ``protocol``: the subprotocol, such as ``order-sync.v1`` for the sync dialect.
    The test must commit (``TransactionTestCase``, pytest's ``transactional_db``): the hub reads on a connection of
    its own.
    """
    socket = Socket(user, path, application, patience, protocol, session, ticket, bearer, headers)
    await socket.open()
    try:
        yield socket
    finally:
        await socket.close()


class Socket:
    """One viewer's socket. Every wait has a bound, and fails with what was seen."""

    def __init__(
        self,
        user: Any,
        path: str,
        application: Any = None,
        patience: float = PATIENCE,
        protocol: str = "",
        session: str | None = None,
        ticket: str = "",
        bearer: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        from channels.routing import URLRouter
        from channels.testing import WebsocketCommunicator
        from django.conf import settings
        from django.contrib.auth.models import AnonymousUser

        from ..routing import websocket_urlpatterns

        behind: Any = application or URLRouter(websocket_urlpatterns)  # type: ignore[arg-type] # stubs want subclasses

        async def as_user(scope: Any, receive: Any, send: Any) -> None:
            await behind({**scope, "user": user or AnonymousUser()}, receive, send)

        cookie = [] if session is None else [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={session}".encode())]
        token = [(b"authorization", f"Bearer {bearer}".encode())] if bearer else []
        others = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        offered = [protocol] if protocol else []
        offered += [f"ticket.{ticket}"] if ticket else []

        self.user, self.path, self.patience = user, path, patience
        self.frames: list[Frame] = []
        """What has been read so far."""
        self.code: int | None = None
        """What the server closed with."""
        self._communicator = WebsocketCommunicator(
            behind if cookie or token or ticket or others else as_user,
            path,
            headers=[*cookie, *token, *others],
            subprotocols=offered,
        )

    async def open(self) -> None:
        accepted, code = await self._communicator.connect(timeout=self.patience)
        assert accepted, f"{self}: the handshake was refused with {code}"

    async def close(self) -> None:
        """Leave; the last one out waits until the background has come to rest."""
        from .. import relay
        from ..hub import Hub

        await self.leave()
        hub = Hub.current()
        hub.end_when_idle()
        assert await asyncio.to_thread(relay.rest, self.patience), "the relay did not come to rest"

    async def leave(self) -> None:
        """Leave; whoever opens many at once ends the hub himself."""
        await self._communicator.disconnect(timeout=self.patience)

    async def read(self) -> Frame | None:
        """Return the next frame; ``None``: the server has closed, see ``code``."""
        return await self._receive("a frame or the close")

    async def next(self) -> Frame:
        """Return the next frame."""
        return await self._next("the next frame")

    async def until(self, condition: Callable[[Frame], bool] | None = None, /, **values: Any) -> Frame:
        """Return the first new frame with these values, or that fulfils ``condition``: ``until(status="Done")``."""
        wanted = ", ".join(f"{name}={value!r}" for name, value in values.items()) or "the condition"
        while True:
            frame = await self._next(wanted)
            fits = all(name in frame and frame[name] == value for name, value in values.items())
            if fits and (condition is None or condition(frame)):
                return frame

    async def say(self, **frame: Any) -> None:
        """Send ``frame`` as JSON."""
        await self._communicator.send_json_to(frame)

    async def send(self, text: str) -> None:
        """Send ``text`` as it is."""
        await self._communicator.send_input({"type": "websocket.receive", "text": text})

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        await self._communicator.send_input({"type": "websocket.receive", "bytes": data})

    async def closed(self) -> int:
        """Read to the end; return the code that the server closes with."""
        while self.code is None:
            await self._receive("the close")
        return self.code

    async def in_step(self, record: Any) -> Frame | None:
        """Read until what was shown last is the masked row; nothing, and closed, where there is nothing to see."""
        topic = topic_of(record)
        while True:
            row = await sync_to_async(row_as_seen)(topic, self.user)
            shown = self.frames[-1] if self.frames and self.code is None else None
            wrong = difference(values_in(shown, topic), row)
            if not wrong and (shown or self.code):
                return shown
            assert self.code is None, self._failure(f"in step with {topic} ({wrong})")
            await self._receive(f"in step with {topic} ({wrong})")

    async def _next(self, wanted: str) -> Frame:
        frame = await self._receive(wanted)
        assert frame is not None, self._failure(wanted)
        return frame

    async def _receive(self, wanted: str) -> Frame | None:
        """Take what comes next; ``None``: the server has closed."""
        try:
            # Channels' own receive_output ends the consumer when it times out: the hub would keep its member.
            async with asyncio.timeout(self.patience):
                output = await self._communicator.output_queue.get()
        except TimeoutError:
            if self._communicator.future.done():
                self._communicator.future.result()  # what the consumer raised says more
            raise AssertionError(self._failure(wanted)) from None
        if output["type"] == "websocket.close":
            self.code = output.get("code", 1000)
            return None
        self.frames.append(json.loads(output["text"]))
        return self.frames[-1]

    def _failure(self, wanted: str) -> str:
        ended = "nothing more came" if self.code is None else f"closed with {self.code}"
        last = "\n".join(f"  {json.dumps(frame)}" for frame in self.frames[-3:]) or "  no frame"
        return f"{self}: waited for {wanted}, {ended}; {len(self.frames)} frames, the last of them:\n{last}"

    def __str__(self) -> str:
        return f"{self.path} as {self.user or 'nobody'}"
