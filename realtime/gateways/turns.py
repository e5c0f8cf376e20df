"""Whose turn it is: what many say at once is heard a little at a time, and what is to be sent goes in between."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

FRAMES = 4
"""Frames that a socket takes out of what has come, in one turn. One of good order hardly ever sends more at once."""


class Turns:
    """Work of which each round of the loop does one piece, however much of it waits.

    ``later`` runs a function in the next round, after what has come in meanwhile.

    >>> rounds, done = [], []
    >>> turns = Turns(rounds.append)
    >>> turns.take(lambda: done.append("a")); turns.take(lambda: done.append("b")); turns.take(lambda: done.append("c"))
    >>> done
    ['a']
    >>> rounds.pop()(); done, len(rounds)
    (['a', 'b'], 1)
    """

    def __init__(self, later: Callable[[Callable[[], None]], object]) -> None:
        self._later = later
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_taken = False
        """Whether this round has had its turn."""
        self._is_within = False
        """Whether what runs now is somebody's turn."""

    def take(self, work: Callable[[], None]) -> None:
        """Do ``work``: now, when it is a part of a turn or nobody has had one in this round, or when all who wait
        already had theirs.
        """
        if self._is_within or self.begin():
            self._do(work)
        else:
            self._waiting.append(work)

    def again(self, work: Callable[[], None]) -> None:
        """Do ``work`` in another turn than this."""
        if not self._is_taken:
            self._begin()
        self._waiting.append(work)

    def begin(self) -> bool:
        """Take this round's turn, if nobody has, and return whether it is one's own."""
        is_free = not self._is_taken
        if is_free:
            self._begin()
        return is_free

    @contextmanager
    def within(self) -> "Iterator[None]":
        """What is done in here is one turn."""
        was_within, self._is_within = self._is_within, True
        try:
            yield
        finally:
            self._is_within = was_within

    async def wait(self) -> None:
        """Return when it is one's turn: most times at once."""
        if not self.begin():
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(lambda: _come(turn))
            await turn

    def _begin(self) -> None:
        self._is_taken = True
        self._later(self._next_round)

    def _next_round(self) -> None:
        self._is_taken = False
        if self._waiting:
            self._begin()
            self._do(self._waiting.popleft())

    def _do(self, work: Callable[[], None]) -> None:
        with self.within():
            work()


def _come(turn: "asyncio.Future[None]") -> None:
    with suppress(asyncio.InvalidStateError):  # who waited has gone
        turn.set_result(None)


def soon(work: Callable[[], None]) -> None:
    """Do ``work`` in the next round of the running loop."""
    asyncio.get_running_loop().call_soon(work)


TURNS = Turns(soon)
"""The turns of this process."""
