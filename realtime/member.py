"""One socket in the hub: who looks, what was sent, what waits to be written."""

import asyncio
import time
from typing import Protocol

from . import conf, metrics
from .feeds import Feed, Viewer, feed_of
from .identity import Claim
from .masking import audience_of, text_for, text_of
from .protocol.closing import Close
from .protocol.outbox import Item, Outbox, Repeat, Say
from .protocol.session import Send, Session


class Sink(Protocol):
    """The writing end of a socket. Either method may wait for a slow peer: only this socket waits with it.

    Neither raises when the peer is gone; the gateway reports that by ``Hub.leave``.
    """

    async def write(self, text: str) -> None: ...

    async def close(self, code: int) -> None: ...


class Member:
    """A socket's session and outbox, and the task that writes while there is something to write.

    In the plain dialect (PROTOCOL §2): frames of one record and nothing else.
    """

    STALLED_SECONDS = 0.05
    """A write that takes longer means a reader that does not keep up."""

    def __init__(self, viewer: Viewer, sink: Sink, feed: type[Feed], claim: Claim | None = None) -> None:
        self.viewer, self.sink, self.feed = viewer, sink, feed
        self.claim, self.account = claim, str(viewer.id)
        self.session = Session()
        self._outbox = Outbox(limit=conf.current().pending_frames, most=conf.current().pending_bytes)
        self._ending: Close | None = None
        self._writing: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._write_began: float | None = None
        self._judging: asyncio.Handle | None = None

    @property
    def is_ending(self) -> bool:
        return self._ending is not None

    def show(self, send: Send) -> list[str]:
        """Have ``send`` written; return the topics that are not watched any more after it.

        The version that took the viewer's right away ends his watching; nothing after it is sent.
        """
        if audience_of(send.update, self.viewer) is None:
            self.end(Close.NOT_FOUND)
            return [send.update.topic]
        self.push(send)
        return []

    def lose(self, topic: str) -> list[str]:
        """Take ``topic`` away from a viewer whose role has changed; return the topics that are not watched any more."""
        self.end(Close.NOT_FOUND)
        return [topic]

    @property
    def holds_anything(self) -> bool:
        """Whether anything is watched, or asked for."""
        return bool(self.session.topics())

    def repeat(self, repeat: Repeat) -> None:
        """Have a foreign message written with the state that the socket has."""
        self.push(repeat)

    def push(self, item: Item) -> None:
        """Have ``item`` written after what waits; never waits itself."""
        if self._ending is None:
            before = self._outbox.superseded
            weight = self._weight(item) if len(self._outbox) else 0  # what is alone is on its way
            self._outbox.push(item, weight=weight, stalled=self._stalled_for() > self.STALLED_SECONDS)
            metrics.skipped.labels("superseded").inc(self._outbox.superseded - before)
            self._write_soon()
            if self._outbox.is_much:
                if self._write_began is not None:
                    self._judge()
                elif self._judging is None:  # the writer has had no turn since this came: no reader is to blame
                    self._judging = asyncio.get_running_loop().call_soon(self._judge)

    def _judge(self) -> None:
        self._judging = None
        if self._ending is None and self._outbox.overflows(len(self.session.topics())):
            self.cut(Close.TOO_SLOW)

    def end(self, code: Close, *, retry_after: float = 0.0) -> None:
        """Close the socket after what waits has been written. ``retry_after``: seconds until it may come back."""
        if self._ending is None:
            metrics.refused.labels(str(code.value)).inc()
            self._ending = code
            self._write_soon()

    def end_at_once(self, code: Close) -> None:
        """Close the socket; what waits is for somebody who is not there any more."""
        self._outbox.clear()
        self.end(code)

    def cut(self, code: Close) -> None:
        """Close the socket now, whatever waits: its reader does not take it."""
        if self._closing is None:
            metrics.refused.labels(str(code.value)).inc()
            self._ending = code
            self.gone()
            self._closing = asyncio.get_running_loop().create_task(self._close())

    def cut_when_stalled(self) -> None:
        """Close a socket whose reader has taken nothing for ``stall_seconds``."""
        if self._stalled_for() > conf.current().stall_seconds:
            self.cut(Close.TOO_SLOW)

    def gone(self) -> None:
        """Stop writing: the peer has left."""
        self._write_began = None
        if self._writing is not None:
            self._writing.cancel()

    async def _close(self) -> None:
        assert self._ending is not None
        await self.sink.close(self._ending)

    def _stalled_for(self) -> float:
        began = self._write_began
        return 0.0 if began is None else time.monotonic() - began

    def _write_soon(self) -> None:
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while (item := self._outbox.pull()) is not None:
                text = self._text(item)
                if text is not None:
                    self._write_began = time.monotonic()
                    await self.sink.write(text)
                    self._write_began = None
            if self._ending is not None:
                await self.sink.close(self._ending)
        finally:
            self._writing = None

    def _weight(self, item: Item) -> int:
        """Return how many bytes of ``pending_bytes`` the item takes."""
        if isinstance(item, Say):
            return item.weight
        audience = audience_of(item.update, self.viewer)
        if audience is None or (isinstance(item, Send) and item.read):
            return 0
        text = text_for(item.update, audience)
        return len(text if text.isascii() else text.encode())

    def _text(self, item: Item) -> str | None:
        """Return what is written for ``item``, masked for what its viewer is in that version."""
        if isinstance(item, Say):
            return item.text()
        audience = audience_of(item.update, self.viewer)
        if audience is None:
            return None
        metrics.sent.labels(feed_of(item.update.topic).name).inc()
        return text_of(item, audience)
