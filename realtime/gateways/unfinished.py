"""Messages that have begun and are not complete: how long each may take, and how much all of them may hold."""

import time
from typing import Any

MESSAGE_BYTES_A_SECOND = 1024
MESSAGE_SECONDS_MORE = 60.0
"""Each so many bytes of a message give its sender another second beyond ``HANDSHAKE_SECONDS``, and this is the most."""

HELD_BYTES = 2 * 1024 * 1024
HELD_BYTES_OF_ONE = 4 * 1024
"""What a process holds of messages that are not complete, of all sockets together; beyond it a socket that brings more,
and has brought this much of its message, is closed with 1013."""


def time_of(held: int, seconds: float) -> float:
    """Return in how many seconds a message must be whole, of which ``held`` bytes are here.

    >>> [time_of(held, 10.0) for held in (0, 1, 64 * 1024, 10**9)]
    [10.0, 10.0009765625, 70.0, 70.0]
    """
    return seconds + min(held / MESSAGE_BYTES_A_SECOND, MESSAGE_SECONDS_MORE)


class Store:
    """What a process holds of all of them, and of whom it holds much, longest first."""

    def __init__(self) -> None:
        self.held = 0
        self.holders: dict[Unfinished, Any] = {}


class Unfinished:
    """The message of one socket that is not complete. It does not know its socket: that would be a circle."""

    def __init__(self, store: Store) -> None:
        self._store, self._held = store, 0
        self._began: float | None = None

    def hold(self, size: int, owner: Any) -> list[Any]:
        """Hold ``size`` bytes more of it for ``owner``; return whose messages are not held any more, as it was too
        much for the store: theirs who have held much for longest, not his who comes.
        """
        store, gone = self._store, list[Any]()
        self._held += size
        store.held += size
        if self._held > HELD_BYTES_OF_ONE:
            store.holders.setdefault(self, owner)
        while store.held > HELD_BYTES and store.holders:
            unfinished, other = next(iter(store.holders.items()))
            unfinished.let_go()
            gone.append(other)
        return gone

    def let_go(self) -> None:
        """Hold nothing of it any more: it is complete, or nobody wants it."""
        self._began = None
        self._store.holders.pop(self, None)
        self._store.held -= self._held
        self._held = 0

    def runs(self, *, is_running: bool) -> None:
        """Start its clock where none runs, or stop it."""
        if not is_running:
            self._began = None
        elif self._began is None:
            self._began = time.monotonic()

    def is_late(self, seconds: float) -> bool:
        """Return whether it should be complete by now; ``seconds`` is what a message of nothing has."""
        return self._began is not None and time.monotonic() - self._began > time_of(self._held, seconds)
