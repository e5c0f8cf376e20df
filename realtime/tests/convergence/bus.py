"""A bus that carries when the history says so, and then with faults."""

import asyncio
import random
import threading
from collections import deque
from collections.abc import Iterator

from realtime import brokers
from realtime.brokers.base import Broker, Heard, Hinted
from realtime.protocol.codec import Hints, seal, unseal
from realtime.protocol.frames import Update
from realtime.testing import Faults


class ScriptedBus(Broker):
    """Keeps what is published until ``carry``. Nonces pass at once: a process knows that it hears."""

    def __init__(self, seed: int) -> None:
        self._waiting: deque[str] = deque()
        self._lock = threading.Lock()
        self._heard: Heard | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._faults = Faults(seed=seed)
        self._dice = random.Random(seed)
        self.last = ""
        """The last body that was published; a late, second copy of it may come at any time."""

    async def publish(self, group: int, body: str) -> None:
        if '"type":"hints"' in body:
            with self._lock:
                self._waiting.append(body)
                self.last = body
        elif self._heard is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._heard, body)

    async def hint(self, feed_name: str, key: str, message: str) -> None: ...

    async def follow(self, feed_name: str, key: str) -> None: ...

    async def unfollow(self, feed_name: str, key: str) -> None: ...

    async def listen(self, heard: Heard, hinted: Hinted) -> None:
        self._loop, self._heard = asyncio.get_running_loop(), heard
        try:
            await self._loop.create_future()
        finally:
            self._heard = None

    def carry(self, how: str) -> Iterator[Hints]:
        """Hand over what waits: ``faithful``, ``lossy`` or ``mute``; yield the genuine hints that were handed over."""
        with self._lock:
            bodies = list(self._waiting)
            self._waiting.clear()
        for body in bodies:
            delivered = {"faithful": [body], "mute": []}.get(how)
            for each in self._faults.through(body) if delivered is None else delivered:
                yield from self._hand_over(each)

    def again(self) -> Iterator[Hints]:
        """Hand over the last body once more."""
        if self.last:
            yield from self._hand_over(self.last)

    def forge(self, topic: str, epoch: str, *, sign: bool) -> None:
        """Hand over lies: in our name with another's key, of another epoch, and noise. ``sign``: with our own key
        as well, versions that are far away; who has the key could put a record onto boards that watch none.
        """
        lie = {"status": "a lie", "price": "0.01", "sender_id": 1, "courier_id": 1}
        key = brokers.key()
        for body in (
            seal(Hints(epoch, [Update(topic, self._dice.randrange(9), lie, ("status",), "")]), b"another key"),
            seal(Hints("another epoch", [Update(topic, self._dice.randrange(9), lie, ("status",), "")]), key),
            *(seal(Hints(epoch, [Update(topic, far, lie, ("status",), "")]), key) for far in (2**62, -1) if sign),
            "ü",
        ):
            assert self._heard is not None
            self._heard(body)

    def _hand_over(self, body: str) -> Iterator[Hints]:
        assert self._heard is not None, "the hub does not listen"
        message = unseal(body, brokers.key())
        assert isinstance(message, Hints)
        self._heard(body)
        yield message
