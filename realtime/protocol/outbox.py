"""What waits to be written to one socket: in order, and bounded (invariant I12)."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .frames import Update
from .session import Send


@dataclass(frozen=True, slots=True)
class Repeat:
    """Write the state that the socket has once more, with a foreign ``message`` and without a version."""

    update: Update
    message: str


@dataclass(frozen=True, slots=True)
class Say:
    """Write the frame that ``text`` returns when its turn has come. No version is moved across it."""

    text: Callable[[], str]
    weight: int = 100
    """Bytes of that frame, about: a heartbeat is not written before its turn."""


Item = Send | Repeat | Say


class Outbox:
    """Frames of one socket, oldest first. When too much waits, a newer state takes the place of the older ones.

    ``limit``: frames that may wait for a reader who does not keep up. ``most``: bytes that may, whoever reads.

    >>> box = Outbox(limit=2)
    >>> for version in (1, 2, 3):
    ...     box.push(Send(Update("order.7", version, {}, (), ""), version - 1))
    >>> merged = box.pull()
    >>> merged.update.version, merged.had, box.pull(), box.superseded
    (3, 0, None, 2)
    """

    BURST = 16
    """How many times ``limit`` may wait for a reader that takes what it gets: a burst is no reason to leave out."""

    def __init__(self, *, limit: int, most: int = 2**18) -> None:
        self._limit, self._most = limit, most
        self._waiting: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._least = self._least_bytes = 0
        self.superseded = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def push(self, item: Item, *, weight: int = 0, stalled: bool = True) -> None:
        """Put ``item``, of ``weight`` bytes, behind what waits; merge when that is too much."""
        self._waiting.append((item, weight))
        self._bytes += weight
        # What the last merge left cannot be merged again: looking at it with each push would cost its square.
        frames = max(self._limit * (1 if stalled else self.BURST), self._least * 2)
        if len(self._waiting) > frames or self._bytes > max(self._most, self._least_bytes * 2):
            self._merge()

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._least = self._least_bytes = self._bytes = 0

    def pull(self) -> Item | None:
        """Take the oldest; ``None`` when nothing waits."""
        self._least = max(0, self._least - 1)
        if not self._waiting:
            return None
        item, weight = self._waiting.popleft()
        self._bytes -= weight
        return item

    @property
    def is_much(self) -> bool:
        """Whether it is time to ask if the reader is too slow."""
        return self._bytes > self._most or len(self._waiting) > self._limit * self.BURST

    def overflows(self, topics: int) -> bool:
        """Return whether more waits than newer states of ``topics`` records can stand for: the reader is too slow."""
        if self._bytes > self._most:
            self._merge()
        return self._bytes > self._most or len(self._waiting) > self._limit * self.BURST + 4 * topics

    def _merge(self) -> None:
        """Let the newest of each topic stand where its oldest stood; nothing moves across what was said between."""
        place: dict[str, int] = {}
        kept: list[tuple[Item, int]] = []
        for item, weight in self._waiting:
            if isinstance(item, Send) and not item.whole:
                at = place.setdefault(item.update.topic, len(kept))
                earlier = kept[at][0] if at < len(kept) else None
                if isinstance(earlier, Send):
                    kept[at] = Send(item.update, earlier.had), weight
                    continue
            elif isinstance(item, Repeat):
                continue
            else:
                place.clear()
            kept.append((item, weight))
        self.superseded += len(self._waiting) - len(kept)
        self._waiting = deque(kept)
        self._least = len(kept)
        self._bytes = self._least_bytes = sum(weight for _, weight in kept)
