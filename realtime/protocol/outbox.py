"""What waits to be written to one socket: in order, and bounded (invariant I12)."""

from collections import deque
from dataclasses import dataclass

from .frames import Update
from .session import Send


@dataclass(frozen=True, slots=True)
class Repeat:
    """Write the state that the socket has once more, with a foreign ``message`` and without a version."""

    update: Update
    message: str


class Outbox:
    """Frames of one socket, oldest first. When too many wait, a newer state takes the place of the older ones.

    >>> box = Outbox(limit=2)
    >>> for version in (1, 2, 3):
    ...     box.push(Send(Update("order.7", version, {}, (), ""), version - 1))
    >>> merged = box.pull()
    >>> merged.update.version, merged.had, box.pull(), box.superseded
    (3, 0, None, 2)
    """

    BURST = 16
    """How many times ``limit`` may wait for a reader that takes what it gets: a burst is no reason to leave out."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Send | Repeat] = deque()
        self.superseded = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def push(self, item: Send | Repeat, *, stalled: bool = True) -> None:
        """Put ``item`` behind what waits; merge when more than ``limit`` wait for a ``stalled`` reader."""
        self._waiting.append(item)
        if len(self._waiting) > self._limit * (1 if stalled else self.BURST):
            self._merge()

    def pull(self) -> Send | Repeat | None:
        """Take the oldest; ``None`` when nothing waits."""
        return self._waiting.popleft() if self._waiting else None

    def _merge(self) -> None:
        newest: dict[str, Send] = {}
        for item in self._waiting:
            if isinstance(item, Send):
                earlier = newest.pop(item.update.topic, None)
                newest[item.update.topic] = Send(item.update, earlier.had if earlier else item.had)
        self.superseded += len(self._waiting) - len(newest)
        self._waiting = deque(newest.values())
