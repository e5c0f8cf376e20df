"""What one socket still has to be told: decided here, performed by the hub.

A socket goes on from version to version of each topic it watches. Hints may be lost, doubled and shuffled; the
database is the truth, and a gap is closed by reading it.

>>> def update(version):
...     return Update("order.7", version, {}, (), "2026-11-23T12:00:00Z")
>>> session = Session()
>>> session.join("order.7")                      # hold what arrives, read the state
CatchUp(topic='order.7', after=None)
>>> session.arrived(update(3))                   # committed while the state was being read
[]
>>> [(send.update.version, send.had) for send in session.fetched("order.7", [update(2)])]
[(2, None), (3, 2)]
>>> session.arrived(update(3))                   # doubled
[]
>>> session.arrived(update(5))                   # 4 was lost on the way
[CatchUp(topic='order.7', after=3)]
>>> [(send.update.version, send.had) for send in session.fetched("order.7", [update(4), update(5)])]
[(4, 3), (5, 4)]
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

from .frames import Update


@dataclass(frozen=True, slots=True)
class Send:
    """Write ``update`` to the socket, which had version ``had`` before (``None``: nothing)."""

    update: Update
    had: int | None
    whole: bool = False
    """Every version was asked for: no newer one may take its place."""
    read: bool = False
    """It answers a read: a snapshot, or what was missed. As many of them as there are records, and no more, wait."""

    @property
    def follows(self) -> bool:
        """Whether nothing lies between: such a frame needs no ``prev``."""
        return self.had is not None and self.update.version == self.had + 1


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Read what was committed of ``topic`` after version ``after`` and answer with ``Session.fetched``."""

    topic: str
    after: int | None


Effect = Send | CatchUp


@dataclass(slots=True, eq=False, weakref_slot=True)
class Leavings:
    """What a socket had of topics that it stopped watching, since somebody asked; kept as long as he keeps this."""

    had: dict[str, int] = field(default_factory=dict)


class _Cursor:
    """How far the socket is in one topic; ``held`` is a list while a read is under way."""

    __slots__ = ("held", "sent")

    def __init__(self, sent: int | None) -> None:
        self.sent = sent
        self.held: list[Update] | None = []


class Session:
    """The cursors of one socket. Versions rise, none is repeated, and the newest is reached (I3, I4, I5)."""

    HELD_AT_MOST = 64
    """Updates kept while a read is under way. The oldest give way: the read, or the next, brings them."""

    def __init__(self) -> None:
        self._cursors: dict[str, _Cursor] = {}
        self._reading: set[str] = set()
        self._leavings: weakref.WeakSet[Leavings] = weakref.WeakSet()

    def __contains__(self, topic: str) -> bool:
        return topic in self._cursors

    @property
    def is_reading(self) -> bool:
        """Whether anything is held back until a read has been answered."""
        return bool(self._reading)

    def topics(self) -> list[str]:
        """Return what this socket watches."""
        return list(self._cursors)

    def sent(self, topic: str) -> int | None:
        """Return the newest version sent of ``topic``; ``None`` before the first."""
        cursor = self._cursors.get(topic)
        return cursor.sent if cursor else None

    def join(self, topic: str, *, after: int | None = None) -> CatchUp:
        """Start to watch ``topic``: what arrives is held until the state has been read (I8).

        ``after``: the version that the client says it holds.
        """
        self._cursors[topic] = _Cursor(after)
        self._reading.add(topic)
        return CatchUp(topic, after)

    def restart(self, topic: str) -> None:
        """Forget what the client said it holds: it is of another history, or was never written here.

        The state is to come, though another topic of the socket may have been told that nothing was missing.
        """
        cursor = self._cursors[topic]
        cursor.sent = None
        if cursor.held is None:
            self._hold_back(topic, cursor, [])

    def leave(self, topic: str) -> None:
        """Stop watching ``topic``; what was asked for it is ignored when it comes."""
        cursor = self._cursors.pop(topic, None)
        self._reading.discard(topic)
        if cursor is not None and cursor.sent is not None:
            self._note(topic, cursor.sent)

    def withheld(self, send: Send) -> None:
        """Stop watching the topic of ``send``, which is not written: its version took it from this socket."""
        self._cursors.pop(send.update.topic, None)
        self._reading.discard(send.update.topic)
        if send.had is not None:
            self._note(send.update.topic, send.had)

    def _note(self, topic: str, version: int) -> None:
        for leavings in self._leavings:
            leavings.had[topic] = version

    def leavings(self) -> Leavings:
        """Return what notes from now on which topics are left, and the version that was sent of each."""
        noted = Leavings()
        self._leavings.add(noted)
        return noted

    def arrived(self, update: Update) -> list[Effect]:
        """Take a committed update from the bus, in any order and any number of times."""
        cursor = self._cursors.get(update.topic)
        if cursor is None:
            return []
        if cursor.held is not None:
            self._hold(cursor.held, update)
            return []
        if self._is_duplicate(cursor, update):
            return []
        if self._is_gap(cursor, update):
            self._hold_back(update.topic, cursor, [update])
            return [CatchUp(update.topic, cursor.sent)]
        return [self._send(cursor, update)]

    def head(self, topic: str, version: int) -> list[Effect]:
        """Take the newest version that the database has of ``topic``; ask for what is missing."""
        cursor = self._cursors.get(topic)
        if cursor is None or cursor.held is not None or version <= (cursor.sent or 0):
            return []
        self._hold_back(topic, cursor, [])
        return [CatchUp(topic, cursor.sent)]

    def fetched(self, topic: str, updates: Sequence[Update], *, silent: bool = False) -> list[Effect]:
        """Take what the database has after the cursor, oldest first, then release what was held.

        ``updates`` are versions one by one, or the newest state alone. ``silent`` moves the cursor without a frame
        (a client that asked for no snapshot).
        """
        cursor = self._cursors.get(topic)
        if cursor is None or cursor.held is None:
            return []
        held, cursor.held = cursor.held, None
        self._reading.discard(topic)
        before = cursor.sent
        sends = [self._send(cursor, update, read=True) for update in updates if not self._is_duplicate(cursor, update)]
        effects: list[Effect] = [] if silent else [*sends]
        if cursor.sent == before:
            # The database has nothing newer, so a held update beyond the cursor's next is not of this database
            # (a restored one, for example); asking again would never end.
            held = [update for update in held if not self._is_gap(cursor, update)]
        for update in sorted(held, key=lambda update: update.version):
            effects += self.arrived(update)
        return effects

    def _hold_back(self, topic: str, cursor: _Cursor, held: list[Update]) -> None:
        cursor.held = held
        self._reading.add(topic)

    def _hold(self, held: list[Update], update: Update) -> None:
        held.append(update)
        if len(held) > self.HELD_AT_MOST:
            held.remove(min(held, key=lambda update: update.version))

    def _is_duplicate(self, cursor: _Cursor, update: Update) -> bool:
        return cursor.sent is not None and update.version <= cursor.sent

    def _is_gap(self, cursor: _Cursor, update: Update) -> bool:
        return cursor.sent is None or update.version > cursor.sent + 1

    def _send(self, cursor: _Cursor, update: Update, *, read: bool = False) -> Send:
        had, cursor.sent = cursor.sent, update.version
        return Send(update, had, read=read)
