"""One at a time: while somebody holds a key, nobody else in this process gets it."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Lock


class Turns:
    """Who comes while the turn is taken is not made to wait: he is told so.

    >>> turns = Turns()
    >>> with turns.taken("carla") as first, turns.taken("carla") as second, turns.taken("chen") as other:
    ...     first, second, other
    (True, False, True)
    >>> with turns.taken("carla") as again:
    ...     again
    True
    """

    def __init__(self) -> None:
        self._held: set[Hashable] = set()
        self._lock = Lock()

    @contextmanager
    def taken(self, key: Hashable) -> Iterator[bool]:
        """Hold ``key`` to the end of the block, whatever happens in it; ``False`` when somebody else has it."""
        with self._lock:
            mine = key not in self._held
            if mine:
                self._held.add(key)
        try:
            yield mine
        finally:
            if mine:
                with self._lock:
                    self._held.discard(key)
