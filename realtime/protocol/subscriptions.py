"""What one socket has asked for in the sync dialect, and what a change of a record means for it.

A socket has each record once, however many of its topics cover it: single records by their ids, and boards, which are
lists of ids over that. Decided here, performed by the hub.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .frames import Update
from .messages import Revoked
from .words import Words

REASSIGNED, DELETED, FILTERED, FORBIDDEN, LIMIT = "reassigned", "deleted", "filtered", "forbidden", "limit"


@dataclass(slots=True)
class Record:
    """A subscription to one record."""

    id: str
    topic: str
    whole: bool
    """Every version is wanted: the mode ``all``."""


@dataclass(slots=True, eq=False)
class BoardOf:
    """A subscription to a board: its members, newest first, at most ``limit``.

    While ``passed`` is a dict the first read is under way: what changes meanwhile is kept there.
    """

    id: str
    name: str
    listing: Any
    lists: Callable[[Update], bool]
    limit: int
    members: dict[str, None] = field(default_factory=dict)
    total: int = 0
    passed: dict[str, Update] | None = field(default_factory=dict)
    is_stale: bool = False
    """A record that belongs here was seen when the board was full: the database says whether it is among the newest."""

    @property
    def is_full(self) -> bool:
        return len(self.members) >= self.limit

    @property
    def wants_renewal(self) -> bool:
        """Whether the newest records may be others than the members, or an older one has a place now."""
        return self.passed is None and (self.is_stale or len(self.members) < min(self.limit, self.total))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an update means: is it ``shown``, what is said after it, and which topics nothing covers any more."""

    shown: bool
    said: list[Any]
    left: list[str]


class Subscriptions:
    """The topics of one socket, by the ids that the client chose."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.records: dict[str, Record] = {}
        self.boards: dict[str, BoardOf] = {}
        self._of_topic: dict[str, set[str]] = {}

    def __contains__(self, chosen: str) -> bool:
        return chosen in self.records or chosen in self.boards

    def add_record(self, record: Record) -> None:
        self.records[record.id] = record
        self._of_topic.setdefault(record.topic, set()).add(record.id)

    def add_board(self, board: BoardOf) -> None:
        self.boards[board.id] = board

    def covers(self, topic: str) -> bool:
        return topic in self._of_topic or any(topic in board.members for board in self.boards.values())

    def wants_all(self, topic: str) -> bool:
        """Return whether every version of ``topic`` was asked for."""
        return any(self.records[chosen].whole for chosen in self._of_topic.get(topic, ()))

    def remove(self, chosen: str) -> list[str]:
        """End a topic; return the records that nothing covers any more."""
        record, board = self.records.pop(chosen, None), self.boards.pop(chosen, None)
        topics = list(board.members) if board else []
        if record is not None:
            self._forget(record)
            topics.append(record.topic)
        return [topic for topic in topics if not self.covers(topic)]

    def _forget(self, record: Record) -> None:
        ids = self._of_topic[record.topic]
        ids.discard(record.id)
        if not ids:
            del self._of_topic[record.topic]

    def judge(self, update: Update, *, visible: bool) -> Verdict:
        """Take a version that is about to be shown; ``visible``: this viewer may see the record in it."""
        for board in self.boards.values():
            if board.passed is not None:
                board.passed[update.topic] = update
        if not visible:
            return self.lose(update.topic, DELETED if update.state is None else REASSIGNED)
        said = [frame for board in self.boards.values() for frame in self._place(board, update)]
        # Whoever comes onto one board and leaves another is covered all the while.
        said.sort(key=lambda frame: bool(frame.removed))
        shown = self.covers(update.topic)
        return Verdict(shown, said, [] if shown else [update.topic])

    def _place(self, board: BoardOf, update: Update) -> list[Any]:
        """Put a record onto ``board`` or take it off; return what is said."""
        topic, belongs = update.topic, board.lists(update)
        if board.passed is not None or belongs == (topic in board.members):
            return []
        if not belongs:
            del board.members[topic]
            board.total -= 1
            return [self.words.removed(board.id, {topic: FILTERED})]
        if board.is_full:
            board.is_stale = True
            return []
        board.members = {topic: None, **board.members}
        board.total += 1
        return [self.words.added(board.id, [topic])]

    def renewed(
        self, board: BoardOf, topics: Sequence[str], found: Mapping[str, Update], total: int
    ) -> tuple[list[str], list[str]]:
        """Take what the database lists now, newest first, with the states of those that are no members.

        Return who comes onto the board, and who gives way to them.
        """
        board.is_stale = False
        come = [t for t in topics if t not in board.members and t in found and board.lists(found[t])]
        others = [t for t in board.members if t not in topics]
        members = [t for t in topics if t in board.members or t in come] + others
        board.members = dict.fromkeys(members[: board.limit])
        board.total = total
        return come, members[board.limit :]

    def lose(self, topic: str, reason: str) -> Verdict:
        """Take ``topic`` from every subscription: its viewer may not see it any more."""
        said: list[Any] = []
        for chosen in sorted(self._of_topic.get(topic, ())):
            self._forget(self.records.pop(chosen))
            said.append(Revoked(chosen, reason))  # type: ignore[arg-type]
        for board in self.boards.values():
            if topic in board.members:
                del board.members[topic]
                board.total -= 1
                said.append(self.words.removed(board.id, {topic: reason}))
        return Verdict(False, said, [topic])

    def opened(self, board: BoardOf, found: Mapping[str, Update], total: int) -> dict[str, Update]:
        """Take the first read of a board, newest first, and what passed meanwhile; return its members."""
        passed, board.passed = board.passed or {}, None
        fresh = {topic: update for topic, update in reversed(passed.items()) if topic not in found}
        known = {topic: _later(update, passed.get(topic)) for topic, update in found.items()}
        listed = {topic: update for topic, update in (fresh | known).items() if board.lists(update)}
        board.members = dict.fromkeys(list(listed)[: board.limit])
        # What passed may be an old record's late hint: the database says which are the newest.
        board.is_stale = len(listed) > board.limit
        board.total = max(total, len(board.members))
        return {topic: listed[topic] for topic in board.members}


def _later(one: Update, other: Update | None) -> Update:
    return one if other is None or other.version <= one.version else other
