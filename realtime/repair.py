"""Each second: what moved in the database that nobody was told of, and up to when everybody has everything.

The bus may lose what it likes. Watched records are compared by their heads; records that come onto a board are found
by position, because nobody watches them yet.
"""

import asyncio
import time
from collections.abc import Collection
from functools import partial
from typing import Protocol

from django.db import Error as DatabaseError

from . import conf, lookout, metrics
from .ear import Ear
from .listings import Listings
from .lookout import Look
from .member import Member
from .protocol.frames import Update
from .reader import Reader
from .renewal import Renewal
from .speaker import Speaker
from .tasks import Tasks, failed


class Served(Protocol):
    """What repair needs of the hub."""

    members: dict[Member, None]
    listings: Listings
    tasks: Tasks

    @property
    def is_blind(self) -> bool: ...
    def topics(self) -> Collection[str]: ...
    def head(self, topic: str, version: int) -> int: ...
    def deliver(self, update: Update) -> None: ...


class Repair:
    """Compares what was sent with the database every ``repair_seconds``, and sooner when it is told to."""

    UNDER_WAY = 0.1
    """Seconds that hints of what was just read get to arrive: then there is nothing to read again."""

    def __init__(self, hub: Served, renewal: Renewal) -> None:
        self._hub, self._renewal = hub, renewal
        self._now = asyncio.Event()
        self._position: int | None = None

    def look_now(self) -> None:
        self._now.set()

    async def know_position(self, reader: Reader) -> None:
        """Return when a position is known: what moves after it, boards are told."""
        if self._position is None:
            position = await reader.once("position", lookout.position)
            self._position = position if self._position is None else self._position

    async def run(self, reader: Reader, ear: Ear) -> None:
        """Look until cancelled."""
        while True:
            await self._until_due()
            await self.look(reader, ear)

    async def look(self, reader: Reader, ear: Ear) -> None:
        """Look once: who was behind when it began has been told of it, or is being told.

        While nobody can be asked about there is nobody to be told.
        """
        try:
            look = await reader.call(self._look())
        except DatabaseError as error:
            failed("repair", error)
        else:
            self._hub.tasks.once("proof", partial(ear.prove, reader))  # a hanging layer holds nobody up
            await asyncio.sleep(self.UNDER_WAY)
            if not self._hub.is_blind:
                await self._compare(look, reader)
        self._attend()

    async def _until_due(self) -> None:
        try:
            async with asyncio.timeout(conf.current().repair_seconds):
                await self._now.wait()
        except TimeoutError:
            return
        finally:
            self._now.clear()

    def _look(self) -> "partial[Look]":
        """Positions are asked for where boards are: who watches records has their heads."""
        after = self._position if self._hub.listings else None
        return partial(lookout.look, list(self._hub.topics()), after=after)

    async def _compare(self, look: Look, reader: Reader) -> None:
        for topic, version in look.heads.items():
            metrics.repaired.labels("heads").inc(self._hub.head(topic, version))
        try:
            complete = await self._follow(look, reader)
        except DatabaseError as error:
            failed("repair", error)
            return
        within = conf.current().repair_seconds
        if complete and await self._hub.tasks.ended("gaps", within) and await self._hub.tasks.ended("boards", within):
            self._vouch(look)

    async def _follow(self, look: Look, reader: Reader) -> bool:
        """Offer what moved to the boards; ``False``: a board was opened since, and has not been looked for."""
        listings = self._hub.listings
        if not listings:
            self._position = look.pos
            return True
        if self._position is None:
            return False
        if look.moved is None:
            metrics.repaired.labels("boards").inc()
            for board, speaker in listings.all():
                self._renewal.renew(board, speaker)
        else:
            behind = {t: v - 1 for t, v in look.moved.items() if not listings.knows(t, v)}
            found = await reader.missed(behind, limit=0) if behind else {}
            metrics.repaired.labels("positions").inc(len(behind))
            for updates in found.values():
                for update in updates:
                    self._hub.deliver(update)
        self._position = look.pos
        return True

    def _vouch(self, look: Look) -> None:
        """All that was committed before the look's clock stands in the outbox of each of these."""
        for member in self._hub.members:
            if isinstance(member, Speaker) and not member.is_reading:
                member.vouched(look.clock, look.pos)

    def _attend(self) -> None:
        """Look after sockets that stand still, boards that are short, and heartbeats."""
        for board, speaker in self._hub.listings.all():
            if board.wants_renewal:
                self._renewal.renew(board, speaker)
        now = time.monotonic()
        for member in list(self._hub.members):
            member.cut_when_stalled()
            if isinstance(member, Speaker):
                member.beat(now)

    def end(self) -> None:
        """Forget where we were; the next start begins anew."""
        self._position = None
        self._now.clear()
