"""One socket in the hub: who looks, what was sent, what waits to be written."""

import asyncio
import time
from typing import Protocol

from . import conf, metrics
from .feeds import Viewer, feed_of
from .masking import audience_of, text_of
from .protocol.closing import Close
from .protocol.outbox import Outbox, Repeat
from .protocol.session import Send, Session


class Sink(Protocol):
    """The writing end of a socket. Either method may wait for a slow peer: only this socket waits with it.

    Neither raises when the peer is gone; the gateway reports that by ``Hub.leave``.
    """

    async def write(self, text: str) -> None: ...

    async def close(self, code: int) -> None: ...


class Member:
    """A socket's session and outbox, and the task that writes while there is something to write."""

    STALLED_SECONDS = 0.05
    """A write that takes longer means a reader that does not keep up."""

    def __init__(self, viewer: Viewer, sink: Sink) -> None:
        self.viewer, self.sink = viewer, sink
        self.session = Session()
        self._outbox = Outbox(limit=conf.current().pending_frames)
        self._ending: Close | None = None
        self._writing: asyncio.Task[None] | None = None
        self._write_began: float | None = None

    def push(self, item: Send | Repeat) -> None:
        """Have ``item`` written after what waits; never waits itself."""
        if self._ending is None:
            self._outbox.push(item, stalled=self._stalled())
            self._write_soon()

    def end(self, code: Close) -> None:
        """Close the socket after what waits has been written."""
        if self._ending is None:
            metrics.refused.labels(str(code.value)).inc()
            self._ending = code
            self._write_soon()

    def gone(self) -> None:
        """Stop writing: the peer has left."""
        if self._writing is not None:
            self._writing.cancel()

    def _stalled(self) -> bool:
        began = self._write_began
        return began is not None and time.monotonic() - began > self.STALLED_SECONDS

    def _write_soon(self) -> None:
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while (item := self._outbox.pull()) is not None:
                audience = audience_of(item.update, self.viewer)
                if audience is not None:
                    self._write_began = time.monotonic()
                    await self.sink.write(text_of(item, audience))
                    self._write_began = None
                    metrics.sent.labels(feed_of(item.update.topic).name).inc()
            if self._ending is not None:
                await self.sink.close(self._ending)
        finally:
            self._writing = None
