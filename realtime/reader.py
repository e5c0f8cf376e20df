"""Database reads of one event loop: one thread, one connection, and what is asked meanwhile becomes the next read."""

import asyncio
from collections.abc import Callable, Collection, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections

from . import identity, log, lookout, tickets
from .batch import Batch
from .boards import Listing
from .identity import Claim
from .protocol.frames import Update

Result = TypeVar("Result")


class Reader:
    """Reads the log for a hub. A storm of joins costs a few statements, not one a socket."""

    def __init__(self, expecting: Callable[[], bool] = lambda: False) -> None:
        """``expecting``: whether sockets are on their way in, which are about to ask for a state."""
        self._thread = ThreadPoolExecutor(1, "realtime-reader")
        self._states: Batch[str, Update] = Batch(lambda topics: self.call(lambda: log.states(topics)), expecting)
        self._accounts: Batch[Claim, Any] = Batch(lambda claims: self.call(lambda: identity.accounts(claims)))
        self._members: Batch[Claim, Any] = Batch(lambda claims: self.call(lambda: identity.accounts(claims)))
        self._tickets: Batch[str, Claim] = Batch(lambda shown: self.call(lambda: tickets.redeem(shown)))
        self._epochs: Batch[str, str] = Batch(lambda asked: self.call(lambda: dict.fromkeys(asked, log.epoch())))
        self._queued: dict[Hashable, asyncio.Future[Any]] = {}

    @property
    def is_reading(self) -> bool:
        """Whether somebody waits for a read that is shared."""
        return any(batch.is_reading for batch in (self._states, self._accounts, self._epochs))

    async def state(self, topic: str) -> Update | None:
        """Return the newest state, read after this call was made; ``None`` where there is no such record."""
        return (await self.states([topic])).get(topic)

    async def states(self, topics: Collection[str]) -> dict[str, Update]:
        """Return the newest states, read after this call was made, of those that exist."""
        return await self._states.get(topics)

    async def accounts(self, claims: Collection[Claim]) -> dict[Claim, Any]:
        """Return the users behind those of ``claims`` that hold, read after this call was made."""
        return await self._accounts.get(claims)

    async def members(self, claims: Collection[Claim]) -> tuple[dict[Claim, Any], dict[Claim, Exception]]:
        """Return the same for those who are in already, whose reads no stranger shares, and for whom it went wrong."""
        return await self._members.each(claims)

    async def redeem(self, ticket: str) -> Claim | None:
        """Take a ticket and return its claim; ``None`` for one that is forged, expired, or taken before."""
        return (await self._tickets.get([ticket])).get(ticket)

    async def epoch(self) -> str:
        """Return the identity of the database's history, read after this call was made."""
        return (await self._epochs.get([""]))[""]

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

    async def listed(self, listing: Listing, limit: int) -> tuple[list[Any], int]:
        """Return whom a board lists, newest first, and how many there are; viewers who ask for the same share it."""
        return await self.once((listing, limit), lambda: lookout.listed(listing, limit))

    async def missed(self, after: Mapping[str, int], *, limit: int) -> dict[str, list[Update]]:
        return await self.call(lambda: log.missed(after, limit=limit))

    async def call(self, work: Callable[[], Result]) -> Result:
        """Return ``work()`` from the reading thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, log.on_live_connection, work)

    def end(self) -> None:
        """Close the connection and let the thread go, after what it is doing now."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=False)
