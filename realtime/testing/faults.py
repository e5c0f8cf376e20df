"""A bus that misbehaves by a seed: what viewers see must not depend on it (invariant I9)."""

import random
import threading
from collections import Counter
from typing import Any

from django.utils.module_loading import import_string

from ..brokers.memory import MemoryBroker


class Faults:
    """Decides what becomes of each message: a share is dropped, doubled, or delivered after the next one.

    The same seed decides the same, message by message.

    >>> faults = Faults(seed=4)
    >>> [faults.through(number) for number in range(9)]
    [[0, 0], [], [2, 2], [], [], [], [6, 5], [7], [8]]
    >>> sorted(faults.count.items())
    [('doubled', 2), ('dropped', 3), ('swapped', 1)]
    """

    def __init__(self, *, seed: int = 0, drops: float = 0.2, doubles: float = 0.2, swaps: float = 0.2) -> None:
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._drops, self._doubles, self._swaps = drops, doubles, swaps
        self._held: list[Any] = []
        self.count: Counter[str] = Counter()

    def through(self, message: Any) -> list[Any]:
        """Return what is delivered now that ``message`` has come; one that waits for its successor comes last."""
        with self._lock:
            waiting, self._held = self._held, []
            roll = self._random.random()
            if roll < self._drops:
                self.count["dropped"] += 1
                return waiting
            roll -= self._drops
            if roll < self._doubles:
                self.count["doubled"] += 1
                return [message, message, *waiting]
            if roll < self._doubles + self._swaps:
                self.count["swapped"] += 1
                self._held = [message]
                return waiting
            return [message, *waiting]


class LossyBroker(MemoryBroker):
    """The bus of one process with faults: ``REALTIME = {"BROKER": "realtime.testing.LossyBroker"}``.

    For another seed, or other shares, subclass it with ``faults`` set in ``__init__``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults()

    async def publish(self, group: int, body: str) -> None:
        for message in self.faults.through((group, body)):
            await super().publish(*message)


class LossyChannelLayer:
    """A channel layer with faults, in front of a real one::

    CHANNEL_LAYERS = {"default": {
        "BACKEND": "realtime.testing.LossyChannelLayer",
        "CONFIG": {"layer": {"BACKEND": ..., "CONFIG": ...}, "seed": 7, "drops": 0.5},
    }}
    """

    def __init__(self, *, layer: dict[str, Any], **faults: Any) -> None:
        self._layer = import_string(layer["BACKEND"])(**layer.get("CONFIG", {}))
        self.faults = Faults(**faults)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        for waiting in self.faults.through((group, message)):
            await self._layer.group_send(*waiting)
