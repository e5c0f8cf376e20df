"""The bus within one process: no layer, no network."""

import asyncio

from .base import Broker, Heard, Hinted


class MemoryBroker(Broker):
    """Hands each body over on the listener's own loop, from whichever thread it comes."""

    def __init__(self) -> None:
        self._listeners: dict[asyncio.AbstractEventLoop, tuple[Heard, Hinted, set[tuple[str, str]]]] = {}

    async def publish(self, group: int, body: str) -> None:
        for loop, (heard, _, _) in list(self._listeners.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(heard, body)

    async def hint(self, feed_name: str, key: str, message: str) -> None:
        for loop, (_, hinted, followed) in list(self._listeners.items()):
            if (feed_name, key) in followed and not loop.is_closed():
                loop.call_soon_threadsafe(hinted, feed_name, key, message)

    async def listen(self, heard: Heard, hinted: Hinted) -> None:
        loop = asyncio.get_running_loop()
        listener = self._listeners[loop] = (heard, hinted, set())
        try:
            await loop.create_future()
        finally:
            if self._listeners.get(loop) is listener:  # else somebody listens since
                del self._listeners[loop]

    async def follow(self, feed_name: str, key: str) -> None:
        listener = self._listeners.get(asyncio.get_running_loop())
        if listener:
            listener[2].add((feed_name, key))

    async def unfollow(self, feed_name: str, key: str) -> None:
        listener = self._listeners.get(asyncio.get_running_loop())
        if listener:
            listener[2].discard((feed_name, key))
