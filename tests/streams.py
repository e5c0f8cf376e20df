"""Event streams and plain requests by hand, as bytes: what a browser would be given, and what it would remember."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AbstractBaseUser

from tests.server import PATIENCE, Server, session_of


@dataclass(frozen=True)
class Event:
    """What an ``EventSource`` dispatches, and the id that stands after it."""

    type: str
    data: str
    id: str

    @property
    def frame(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.data)
        return found


@dataclass
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def request(
    server: Server,
    path: str,
    session: str = "",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> bytes:
    lines = {"Host": f"127.0.0.1:{server.port}", **(headers or {})}
    if session:
        lines["Cookie"] = "; ".join(filter(None, [lines.get("Cookie", ""), f"{server.cookie}={session}"]))
    if body or method == "POST":
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def head_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Return status and headers, names in lower case."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in headers.items()}


async def ask(server: Server, path: str, user: AbstractBaseUser | None = None, **more: Any) -> Reply:
    """Send one request and return the answer to its end."""
    session = await sync_to_async(session_of)(user) if user else more.pop("session", "")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=server.tls)
    try:
        async with asyncio.timeout(PATIENCE * 2):
            writer.write(request(server, path, session, **more))
            status, headers = await head_of(reader)
            if "content-length" in headers:
                body = await reader.readexactly(int(headers["content-length"]))
            elif status == 304 or more.get("method") == "HEAD":
                body = b""
            else:
                body = b"".join([part async for part in chunks(reader)])
            return Reply(status, headers, body)
    finally:
        writer.close()


async def chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the parts of a chunked body; the last one ends it."""
    while size := int((await reader.readline()).strip(), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)


@dataclass
class Source:
    """One open stream. ``id`` is what the browser would send as ``Last-Event-ID``."""

    status: int
    headers: Mapping[str, str]
    reader: asyncio.StreamReader
    id: str = ""
    retry: int | None = None
    comments: int = 0
    events: list[Event] = field(default_factory=list)
    is_over: bool = False

    def __post_init__(self) -> None:
        self._chunks = chunks(self.reader)
        self._rest = ""

    async def next(self, timeout: float = PATIENCE) -> Event | None:
        """Return the next event; ``None``: the stream has ended as it should."""
        async with asyncio.timeout(timeout):
            while True:
                while "\n\n" not in self._rest:
                    try:
                        self._rest += (await anext(self._chunks)).decode()
                    except StopAsyncIteration:
                        self.is_over = True
                        return None
                block, self._rest = self._rest.split("\n\n", 1)
                if (event := self._take(block)) is not None:
                    return event

    def _take(self, block: str) -> Event | None:
        found: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            found[name] = value.removeprefix(" ")
        self.comments += "" in found
        self.id = found.get("id", self.id)
        self.retry = int(found["retry"]) if "retry" in found else self.retry
        if "data" not in found:
            return None
        self.events.append(Event(found.get("event", "message"), found["data"], self.id))
        return self.events[-1]

    async def frame(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Return the data of the next event."""
        event = await self.next(timeout)
        assert event is not None, f"the stream ended after {self.events[-3:]}"
        return event.frame

    async def until(self, kind: str, **values: Any) -> dict[str, Any]:
        """Return the first event of this type with these values."""
        while True:
            frame = await self.frame()
            if frame["type"] == kind and all(frame.get(name) == value for name, value in values.items()):
                return frame

    async def rest(self) -> list[Event]:
        """Read to the end; return what came."""
        began = len(self.events)
        while await self.next() is not None:
            pass
        return self.events[began:]


@asynccontextmanager
async def source(
    server: Server, path: str, user: AbstractBaseUser | None, last: str = "", **headers: str
) -> AsyncIterator[Source]:
    """Open a stream as ``user``, coming back with ``last``."""
    session = await sync_to_async(session_of)(user) if user else ""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=server.tls)
    try:
        async with asyncio.timeout(PATIENCE):
            sent = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {}), **headers}
            writer.write(request(server, path, session, headers=sent))
            status, found = await head_of(reader)
        yield Source(status, found, reader)
    finally:
        writer.close()
