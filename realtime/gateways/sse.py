"""Server-sent events (PROTOCOL §4): a record or a board as a stream of blocks, for clients without WebSocket.

The stream is a member of the hub like a socket of the sync dialect, and sends the same frames; ``views`` makes the
HTTP response of it. Under any ASGI server; no thread is held while it lasts.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2s
from typing import Any

from django.db import Error as DatabaseError

from .. import conf, lookout, metrics
from ..feeds import Feed, Viewer
from ..hub import Hub
from ..identity import Claim
from ..protocol.closing import Close
from ..protocol.messages import Error, Goodbye, Have, Subscribe, spoken
from ..protocol.outbox import Item, Say
from ..protocol.session import Send
from ..protocol.subscriptions import BoardOf, Record
from ..speaker import Speaker
from ..tasks import failed
from . import threads
from .opening import Opening, board_asked

COMMENT = ":\n\n"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A ``Last-Event-ID``: in which history, up to where, and for a board of whose view.

    >>> Cursor.read("9f3c:7"), Cursor.read("9f3c:7:ab01"), Cursor.read("seven"), Cursor.read("9f3c:-7")
    (Cursor(epoch='9f3c', at=7, view=''), Cursor(epoch='9f3c', at=7, view='ab01'), None, None)
    """

    epoch: str
    at: int
    view: str = ""

    @classmethod
    def read(cls, text: str) -> "Cursor | None":
        """Return what ``text`` says; ``None`` where it is nothing that we sent."""
        epoch, _, rest = text.partition(":")
        at, _, view = rest.partition(":")
        if not epoch or len(text) > 200 or not (at.isascii() and at.isdecimal() and len(at) < 19):
            return None
        return cls(epoch, int(at), view)

    def __str__(self) -> str:
        return f"{self.epoch}:{self.at}" + (f":{self.view}" if self.view else "")


def block(event: str = "", data: str = "", *, at: Cursor | None = None, retry: float | None = None) -> str:
    """Return one block of the stream; ``retry`` in seconds. Without data it dispatches nothing, and is remembered.

    >>> block("order.update", '{"version":7}', at=Cursor("9f3c", 7))
    'event: order.update\\nid: 9f3c:7\\ndata: {"version":7}\\n\\n'
    >>> block(retry=2.5)
    'retry: 2500\\n\\n'
    """
    lines = {
        "event": event,
        "id": str(at or ""),
        "retry": "" if retry is None else str(round(retry * 1000)),
        "data": data,
    }
    return "".join(f"{name}: {value}\n" for name, value in lines.items() if value) + "\n"


class Line:
    """The writing end of a stream: ``write`` returns when the server has taken the block and asks for more."""

    def __init__(self) -> None:
        self._block = ""
        self._awake, self._taken = asyncio.Event(), asyncio.Event()
        self._is_closed = self._is_sending = False
        self._task: asyncio.Task[Any] | None = None

    async def write(self, text: str) -> None:
        self._block = text
        self._taken.clear()
        self._awake.set()
        await self._taken.wait()

    async def close(self, code: int) -> None:
        """End the stream; a block that its reader does not take is given up, and the connection with it."""
        self._is_closed = True
        self._awake.set()
        if self._is_sending and self._task is not None:
            self._task.cancel()

    async def blocks(self) -> AsyncIterator[str]:
        """Yield what is written until the end."""
        self._task = asyncio.current_task()
        while True:
            if self._block:
                text, self._block = self._block, ""
                self._is_sending = True
                yield text
                self._is_sending = False
                self._taken.set()
            elif self._is_closed:
                return
            else:
                self._awake.clear()
                await self._awake.wait()


class Stream(Speaker):
    """One stream: of a record, or of a board. ``blocks`` is the body of the response."""

    _SAID = frozenset({"synced", "board", "revoked", "goodbye"})
    """The frames of the sync dialect that a stream has as well; what only a socket needs is left out."""

    leave_place: Callable[[], None] = staticmethod(lambda: None)
    """Gives back what the stream takes up of its user's limit."""

    def __init__(self, viewer: Viewer, feed: type[Feed], cursor: Cursor | None, claim: Claim | None = None) -> None:
        self._line = Line()
        super().__init__(viewer, self._line, feed, claim)
        self._cursor = cursor
        self._epoch = ""
        self._board: BoardOf | None = None
        self._begin: Callable[[], Awaitable[Error | None]]
        self._opening: asyncio.Task[None] | None = None
        self._has_left = False
        now, settings = time.monotonic(), conf.current()
        self._rotates_at = now + settings.stream_seconds * random.uniform(0.8, 1.2)
        self._comment_at = now + settings.stream_comment_seconds
        self._vouched = -1
        """The position that was vouched for last; all up to it stands in the outbox."""
        self._written: Cursor | None = None
        """The last position that was written: the ``id`` of a board's updates."""
        self._is_dirty = False

    def record(self, key: Any) -> None:
        """Make this the stream of one record."""
        topic = self.feed.topic(key)
        name = self.feed.name
        held = {str(key): self._cursor.at} if self._cursor else {}
        have = Have(self._cursor.epoch, held) if self._cursor else None
        record = Record(name, topic, False)
        self.subscriptions.add_record(record)
        self._begin = partial(self._open_record, Subscribe(name, f"{name}:{key}", have=have), record)

    def board(self, name: str, said: Subscribe) -> Error | None:
        """Make this the stream of a board, or return why not."""
        board = board_asked(self, said, name)
        if isinstance(board, Error):
            return board
        self._board = board
        self.subscriptions.add_board(board)
        self._begin = partial(self._open_board, said, board)
        return None

    async def blocks(self) -> AsyncIterator[str]:
        """Join the hub and yield until the stream is ended, or its reader has gone."""
        task = asyncio.current_task()
        if task is not None:
            task.add_done_callback(lambda _: self._leave())  # a send that is cancelled does not close us
        try:
            await threads.let_go()
            yield block(retry=conf.current().stream_retry_seconds * random.uniform(0.5, 1.5))
            self.hub = Hub.current()
            self.hub.start()
            self.hub.enrol(self)
            self._opening = self.hub.tasks.spawn(self._opened())
            async for text in self._line.blocks():
                yield text
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._has_left:
            return
        self._has_left = True
        self.leave_place()
        if self._opening is not None:
            self._opening.cancel()
            self.hub.leave(self)
        self.gone()
        metrics.streams_ended.labels("left" if self._ending is None else _reason(self._ending)).inc()

    async def _opened(self) -> None:
        try:
            refusal = await self._begin()
        except DatabaseError as error:
            failed("stream", error)
            self.end(Close.INTERNAL)
            return
        if refusal is not None:
            self.end(Close.NOT_FOUND)

    async def _open_record(self, said: Subscribe, record: Record) -> Error | None:
        self._epoch = await self.hub.start().epoch()
        return await Opening(self.hub, self, said).record(record)

    async def _open_board(self, said: Subscribe, board: BoardOf) -> Error | None:
        reader = await self.hub.ready_for_boards()
        self._epoch = await reader.epoch()
        self._vouched = await reader.once("position", lookout.position)  # before the board is read: it is all in it
        cursor = self._cursor
        if cursor is not None and (cursor.epoch, cursor.view) == (self._epoch, self._view):
            look = partial(lookout.held, board.listing, board.limit, after=cursor.at, lists=board.lists)
            held = await reader.call(look)
            if held is not None:
                versions = {topic.partition(".")[2]: version for topic, version in held.items()}
                said = Subscribe(said.id, said.topic, limit=said.limit, have=Have(self._epoch, versions))
        return await Opening(self.hub, self, said).board(board)

    @property
    def _view(self) -> str:
        """What makes a board what it is for this viewer: a position says nothing about another one's."""
        assert self._board is not None
        seen = (self.viewer, self._board.listing, self._board.limit, conf.current().visibility)
        return blake2s(repr(seen).encode(), digest_size=4).hexdigest()

    def push(self, item: Item) -> None:
        self._is_dirty = True
        super().push(item)

    def show(self, send: Send) -> list[str]:
        left = super().show(send)
        if left and self._board is None:
            self.end(Close.NOT_FOUND)  # behind ``revoked``
        return left

    def say(self, frame: Any) -> None:
        """Have a frame of the sync dialect written as an event of its type."""
        kind = str(frame.__struct_config__.tag)
        if kind not in self._SAID or (kind == "synced" and self._board is None):
            return
        text, at = spoken(frame), self._vouched
        if kind == "goodbye":
            assert isinstance(frame, Goodbye)
            retry = frame.retry_after_ms / 1000 if frame.retry_after_ms else None
            self.push(Say(lambda: block(kind, text, retry=retry)))
        elif kind == "synced":
            self.push(Say(lambda: block(kind, text, at=self._at(at))))
        else:
            self.push(Say(lambda: block(kind, text, at=self._written)))

    def _at(self, position: int) -> Cursor:
        self._written = Cursor(self._epoch, position, self._view)
        return self._written

    def _text(self, item: Item) -> str | None:
        text = super()._text(item)
        if text is None or isinstance(item, Say):
            return text
        here = self._written if self._board else Cursor(self._epoch, item.update.version)
        return block(f"{self.feed.name}.update", text, at=here)

    def vouched(self, clock: str, pos: int) -> None:
        """Say on a board up to where it is complete, when something was said since."""
        super().vouched(clock, pos)
        if self._board is not None and self._board.passed is None and pos > self._vouched and not self._is_late():
            self._vouched = pos
            if self._is_dirty:
                self._say_position()

    def _say_position(self) -> None:
        here = self._vouched
        self.push(Say(lambda: block(at=self._at(here))))
        self._is_dirty = False

    def beat(self, now: float) -> None:
        """End the stream in time, or keep it warm."""
        if now >= self._rotates_at:
            self._rotate()
        elif now >= self._comment_at:
            self._comment_at = now + conf.current().stream_comment_seconds
            if not self._is_late():
                self.push(Say(lambda: COMMENT))
                if self._board is not None and self._board.passed is None:
                    self._say_position()

    def _is_late(self) -> bool:
        """Whether the reader keeps what waits for him waiting: then nothing is put behind it that can be left out."""
        return self._stalled_for() > self.STALLED_SECONDS

    def _rotate(self) -> None:
        if self._ending is None:
            self._ending = Close.LEFT
            self._write_soon()


def _reason(code: Close) -> str:
    return "rotated" if code is Close.LEFT else str(code.value)
