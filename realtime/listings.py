"""Whose board a record comes onto: found by the values of its gates, not by asking every board (O(kinds of board))."""

from typing import Any

from .boards import Listing
from .feeds import feed_of
from .protocol.frames import Update
from .protocol.subscriptions import BoardOf
from .speaker import Speaker

_Boards = dict[BoardOf, Speaker]


class Listings:
    """Every board of one loop's sockets, and the newest version of each record that they were offered."""

    KNOWN_AT_MOST = 20_000
    """Records whose newest version is known; of an older one a late hint may be offered again, which repair mends."""

    def __init__(self) -> None:
        self._by_gates: dict[tuple[str, tuple[str, ...]], dict[tuple[Any, ...], _Boards]] = {}
        self._newest: dict[str, int] = {}
        self._opening: set[BoardOf] = set()

    def __bool__(self) -> bool:
        return bool(self._by_gates)

    def add(self, board: BoardOf, speaker: Speaker) -> None:
        kind, values = _place(board.listing)
        self._by_gates.setdefault(kind, {}).setdefault(values, {})[board] = speaker
        self._opening.add(board)

    def discard(self, board: BoardOf) -> None:
        self._opening.discard(board)
        kind, values = _place(board.listing)
        of_kind = self._by_gates.get(kind, {})
        boards = of_kind.get(values, {})
        boards.pop(board, None)
        if not boards:
            of_kind.pop(values, None)
        if not of_kind:
            self._by_gates.pop(kind, None)

    def all(self) -> list[tuple[BoardOf, Speaker]]:
        of_values = (boards for of_kind in self._by_gates.values() for boards in of_kind.values())
        return [entry for boards in of_values for entry in boards.items()]

    def forget_versions(self) -> None:
        """Forget what was offered: the database is of another history, or may be by the next socket."""
        self._newest.clear()

    def knows(self, topic: str, version: int) -> bool:
        """Return whether this version of ``topic``, or a newer one, has been offered."""
        return self._newest.get(topic, -1) >= version

    def offered(self, update: Update) -> list[tuple[BoardOf, Speaker]]:
        """Return the boards that list ``update``; none where a newer version of it was offered before."""
        if not self._by_gates or self.knows(update.topic, update.version):
            return []
        self._newest.pop(update.topic, None)
        self._newest[update.topic] = update.version
        if len(self._newest) > self.KNOWN_AT_MOST:
            del self._newest[next(iter(self._newest))]
        self._pass(update)
        return [entry for entry in self._nearby(update) if entry[0].lists(update)]

    def _pass(self, update: Update) -> None:
        """Tell boards that are being read of what passed before: a newer version may not be listed any more."""
        self._opening = {board for board in self._opening if board.passed is not None}
        for board in self._opening:
            if board.passed is not None and update.topic in board.passed:
                board.passed[update.topic] = update

    def _nearby(self, update: Update) -> list[tuple[BoardOf, Speaker]]:
        feed, state = feed_of(update.topic).name, update.state or {}
        found: list[tuple[BoardOf, Speaker]] = []
        for (name, gates), of_kind in self._by_gates.items():
            if name == feed:
                found += of_kind.get(tuple(state.get(gate) for gate in gates), {}).items()
        return found


def _place(listing: Listing) -> tuple[tuple[str, tuple[str, ...]], tuple[Any, ...]]:
    gates, values = zip(*listing.conditions, strict=True) if listing.conditions else ((), ())
    return (listing.feed, gates), values
