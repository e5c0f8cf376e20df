"""Whose turn it is: what many say at once is heard a little at a time, and what is to be sent goes in between."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

FRAMES = 4
"""Frames that a socket takes out of what has come, in one turn. One of good order hardly ever sends more at once."""

TURNS = 4
"""Turns in each round of the loop, of all sockets of a process together. Each is some tenths of a millisecond."""


class Turns:
    """Work of which each round of the loop does ``TURNS`` pieces, however many wait.

    ``later`` runs a function in the next round, after what has come in meanwhile.

    >>> rounds, done = [], []
    >>> turns = Turns(rounds.append)
    >>> for number in range(TURNS + 1):
    ...     turns.take(lambda number=number: done.append(number))
    >>> done, len(rounds)
    ([0, 1, 2, 3], 1)
    >>> rounds.pop()(); done[-1]
    4
    """

    def __init__(self, later: Callable[[Callable[[], None]], object]) -> None:
        self._later = later
        self._waiting: deque[Callable[[], None]] = deque()
        self._left = TURNS

    def take(self, work: Callable[[], None]) -> None:
        """Do ``work``: now, when this round has a turn left, or when all who wait already had theirs."""
        if self._left and not self._waiting:
            self._spend()
            work()
        else:
            self._waiting.append(work)

    async def wait(self) -> None:
        """Return when there is a turn left: most times at once."""
        if self._left and not self._waiting:
            self._spend()
        else:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(lambda: _come(turn))
            await turn

    def _spend(self) -> None:
        if self._left == TURNS:
            self._later(self._next_round)
        self._left -= 1

    def _next_round(self) -> None:
        self._left = TURNS
        while self._left and self._waiting:
            self._spend()
            self._waiting.popleft()()


def _come(turn: "asyncio.Future[None]") -> None:
    with suppress(asyncio.InvalidStateError):  # who waited has gone
        turn.set_result(None)
