"""The viewer's end of a line in a few lines: three hundred full clients in one process would be the slow readers."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.wire import CLOSE, PING, PONG, TEXT, Frames, frame

BROKEN = 1006
"""What a line ends with that nobody closed."""


class Line(asyncio.Protocol):
    """Opens with ``request``; hands each text to ``heard``. ``ended`` has the close code, or the HTTP status."""

    def __init__(self, request: bytes, heard: Callable[[bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self._request, self._heard, self._head, self._frames = request, heard, b"", Frames()
        self._transport: asyncio.Transport | None = None
        self.is_open = False
        self.opened: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        self.heard_at = loop.time()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        if not self.is_open:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            status = int(head.split(b" ", 2)[1])
            if status != 101:
                self._end(status)
                return
            self.is_open = True
            if not self.opened.done():
                self.opened.set_result(None)
        for opcode, payload in self._frames.feed(data):
            self._take(opcode, payload)

    def _take(self, opcode: int, payload: bytes) -> None:
        if self.ended.done():
            return
        if opcode == TEXT:
            self._heard(payload)
        elif opcode == PING:
            self._write(frame(payload, PONG))
        elif opcode == CLOSE:
            self._write(frame(payload[:2], CLOSE))
            self._end(int.from_bytes(payload[:2]) if payload else 1005)

    def say(self, text: bytes) -> None:
        self._write(frame(text))

    def leave(self) -> None:
        """Close as a client does that goes: 1000."""
        if not self.ended.done():
            self._write(frame((1000).to_bytes(2), CLOSE))
            self._end(1000)

    def cut(self) -> None:
        """Leave without a word."""
        self._end(BROKEN)
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _end(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code)
        if not self.opened.done():
            self.opened.set_result(None)
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(BROKEN)


ROTATED = 200
"""What an event stream ends with that its server has ended cleanly; otherwise the code of its ``goodbye``."""


class Events(Line):
    """The viewer's end of an event stream, with the face of a line. ``last`` is what an ``EventSource`` remembers."""

    def __init__(self, request: bytes, heard: Callable[[bytes], None]) -> None:
        super().__init__(request, heard)
        self._body = self._text = b""
        self._goodbye = ROTATED
        self.last = ""

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        if not self.is_open:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            status = int(head.split(b" ", 2)[1])
            if status != 200:
                self._end(status)
                return
            self.is_open = True
            if not self.opened.done():
                self.opened.set_result(None)
        self._body += data
        while (chunk := self._chunk()) is not None:
            if not chunk:
                self._end(self._goodbye)
                return
            self._text += chunk
        *blocks, self._text = self._text.split(b"\n\n")
        for block in blocks:
            self._block(block)

    def _chunk(self) -> bytes | None:
        """Return the next chunk of the body, the empty one at its end; ``None``: it has not come whole."""
        size, end, rest = self._body.partition(b"\r\n")
        if not end or len(rest) < (many := int(size, 16)) + 2:
            return None
        self._body = rest[many + 2 :]
        return rest[:many]

    def _block(self, block: bytes) -> None:
        found = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
        self.last = found.get(b"id", self.last.encode()).decode()
        if found.get(b"event") == b"goodbye":
            self._goodbye = json.loads(found[b"data"])["code"]
        elif b"data" in found and not self.ended.done():
            self._heard(found[b"data"])

    def say(self, text: bytes) -> None:
        raise NotImplementedError("a stream has one direction")

    def leave(self) -> None:
        """Close as a browser does that goes."""
        self._end(1000)
