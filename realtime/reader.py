"""Database reads of one event loop: one thread, one connection, and what is asked meanwhile becomes the next read."""

import asyncio
from collections.abc import Callable, Collection, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections

from . import log, lookout
from .boards import Listing
from .protocol.frames import Update

Result = TypeVar("Result")


class Reader:
    """Reads the log for a hub. A storm of joins costs a few statements, not one a socket."""

    AT_MOST = 500
    """Topics in one statement."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "realtime-reader")
        self._wanted: dict[str, list[asyncio.Future[Update | None]]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._queued: dict[Hashable, asyncio.Future[Any]] = {}

    async def state(self, topic: str) -> Update | None:
        """Return the newest state, read after this call was made; ``None`` where there is no such record."""
        return (await self.states([topic])).get(topic)

    async def states(self, topics: Collection[str]) -> dict[str, Update]:
        """Return the newest states, read after this call was made, of those that exist."""
        loop = asyncio.get_running_loop()
        asked: dict[str, asyncio.Future[Update | None]] = {topic: loop.create_future() for topic in topics}
        for topic, future in asked.items():
            self._wanted.setdefault(topic, []).append(future)
        if self._reading is None and asked:
            self._reading = loop.create_task(self._read_wanted())
        await asyncio.gather(*asked.values())
        return {topic: update for topic, future in asked.items() if (update := future.result()) is not None}

    async def once(self, key: Hashable, work: Callable[[], Result]) -> Result:
        """Return ``work()``, begun after this call was made; those who ask for ``key`` until it begins share it."""
        waiting = self._queued.get(key)
        if waiting is None:

            def begin() -> Result:
                self._queued.pop(key, None)
                return work()

            waiting = self._queued[key] = asyncio.ensure_future(self.call(begin))
        shared: Result = await asyncio.shield(waiting)
        return shared

    async def _read_wanted(self) -> None:
        try:
            while self._wanted:
                topics = list(self._wanted)[: self.AT_MOST]
                waiting = {topic: self._wanted.pop(topic) for topic in topics}
                await self._answer(waiting)
        finally:
            self._reading = None

    async def _answer(self, waiting: dict[str, list[asyncio.Future[Update | None]]]) -> None:
        futures = [(topic, future) for topic, asked in waiting.items() for future in asked]
        try:
            found = await self.call(lambda: log.states(list(waiting)))
        except Exception as error:  # noqa: BLE001 - whatever the database says is the askers' to answer
            for _, future in futures:
                if not future.done():
                    future.set_exception(error)
            return
        for topic, future in futures:
            if not future.done():
                future.set_result(found.get(topic))

    async def listed(self, listing: Listing, limit: int) -> tuple[list[Any], int]:
        """Return whom a board lists, newest first, and how many there are; viewers who ask for the same share it."""
        return await self.once((listing, limit), lambda: lookout.listed(listing, limit))

    async def epoch(self) -> str:
        """Return the identity of the database's history, read after this call was made."""
        return await self.once("epoch", log.epoch)

    async def missed(self, after: Mapping[str, int], *, limit: int) -> dict[str, list[Update]]:
        return await self.call(lambda: log.missed(after, limit=limit))

    async def call(self, work: Callable[[], Result]) -> Result:
        """Return ``work()`` from the reading thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, log.on_live_connection, work)

    def end(self) -> None:
        """Close the connection and let the thread go, after what it is doing now."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=False)
