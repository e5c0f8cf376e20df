"""A TCP proxy on loopback whose faults are switched while it runs: between server and engine, or client and server.

with Proxy.in_front_of("redis://127.0.0.1:6379/0") as proxy:
    proxy.url     # the same, by way of the proxy
    proxy.mute()  # reachable, and nothing comes through
    proxy.heal()
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

CHUNK = 16 * 1024
"""Most bytes that wait in the proxy for either end of a connection; whoever sends more waits himself."""


class Proxy:
    """Passes what either end says to the other, until it is told otherwise. Methods may be called from any thread.

    What is held back is not lost, as TCP would have it: it goes on with ``heal``.
    """

    def __init__(self, host: str, port: int, url: str = "") -> None:
        self._target, self._url = (host, port), url
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._near: set[asyncio.StreamWriter] = set()
        self._far: set[asyncio.StreamWriter] = set()
        self._flows: asyncio.Event | None = None
        self._delay = self._rate = 0.0
        self._refuses = False
        self.accepted = 0
        """Connections that were taken so far."""

    @classmethod
    def in_front_of(cls, url: str) -> "Proxy":
        """Return a proxy for the engine or server at ``url``."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        return cls(parts.hostname, parts.port, url)

    @property
    def url(self) -> str:
        """The target's URL, by way of the proxy."""
        parts = urlsplit(self._url)
        return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.port}".lstrip("@")).geturl()

    @property
    def open(self) -> int:
        """The connections that are open now."""
        return len(self._far)

    def heal(self) -> None:
        """Pass everything, at once."""

        def act() -> None:
            self._delay = self._rate = 0.0
            self._refuses = False
            self._gate.set()

        self._do(act)

    def delay(self, seconds: float) -> None:
        """Pass everything, each piece so much later."""
        self._do(lambda: setattr(self, "_delay", seconds))

    def throttle(self, bytes_a_second: float) -> None:
        """Pass at most so many bytes a second and direction."""
        self._do(lambda: setattr(self, "_rate", bytes_a_second))

    def mute(self) -> None:
        """Be reachable, and let nothing through in either direction."""
        self._do(lambda: self._gate.clear())

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        self._do(self._cut)

    def refuse(self) -> None:
        """Reset every connection, and each new one as soon as it comes."""

        def act() -> None:
            self._refuses = True
            self._cut()

        self._do(act)

    def half_close(self) -> None:
        """Tell the target that its clients have said all; what it says still passes."""

        def act() -> None:
            for line in self._far:
                line.write_eof()

        self._do(act)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._do(lambda: None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._do(self._end)
        self._thread.join(10)
        self._loop.close()

    @property
    def _gate(self) -> asyncio.Event:
        assert self._flows is not None
        return self._flows

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._flows = asyncio.Event()
        self._flows.set()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._accept, sock=self._listener, limit=CHUNK)
        )
        self._loop.run_forever()

    def _do(self, act: Callable[[], Any]) -> None:
        """Do ``act`` in the proxy's thread, and wait for it."""
        done = threading.Event()

        def perform() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(perform)
        assert done.wait(10), "the proxy does not answer"

    def _end(self) -> None:
        self._server.close()
        self._cut()
        self._gate.set()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_later(0.05, self._loop.stop)

    def _cut(self) -> None:
        for line in (*self._near, *self._far):
            _reset(line)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._refuses:
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target, limit=CHUNK)
        except OSError:
            _reset(writer)
            return
        for line in (writer, far_writer):
            line.transport.set_write_buffer_limits(high=CHUNK)  # type: ignore[attr-defined]
        self._near.add(writer)
        self._far.add(far_writer)
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except (OSError, RuntimeError):
            pass  # one end is gone, and so is the other now
        finally:
            self._near.discard(writer)
            self._far.discard(far_writer)
            for line in (writer, far_writer):
                line.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            if self._rate:
                await asyncio.sleep(len(data) / self._rate)
            await self._gate.wait()
            writer.write(data)
            await writer.drain()
        writer.write_eof()


def _reset(line: asyncio.StreamWriter) -> None:
    """End a connection as a crash does: the other end hears a reset, not a farewell."""
    line.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.transport.abort()
