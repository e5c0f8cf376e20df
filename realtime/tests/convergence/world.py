"""One history: writers, relays, a bus, a hub with its viewers, and nothing that moves by itself.

The relay's thread and the timer of repair are taken out; both work when a step says so. Between two steps all that
was begun comes to its end, so a seed tells the same story again.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any
from unittest import mock

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import override_settings
from django.utils import timezone

from realtime import brokers, log, relay
from realtime.batch import Batch
from realtime.guard import Guard
from realtime.hub import Hub
from realtime.models import Epoch, Event, Stream
from realtime.protocol.codec import Hints
from realtime.reader import Reader
from realtime.repair import Repair
from realtime.retention import prune

from .bus import ScriptedBus
from .viewers import Watcher
from .writers import PEOPLE, Table, Thread, Writer, blank, restore

CATCH_UP_LIMIT = 6
SHRUNK = {
    "REPAIR_SECONDS": 5.0,
    "REFUSAL_SECONDS": 0.0,
    "HEARTBEAT_SECONDS": 0.0,
    "LINGER_SECONDS": 3600.0,
    "SETTLE_BATCH": 1,
    "CATCH_UP_LIMIT": CATCH_UP_LIMIT,
    "PENDING_FRAMES": 4,
}
STANDING = 3
"""Tasks of a hub at rest: its ear; the repair and the guard, which wait for ever."""


class Threads:
    """Threads and people that all histories of a test share."""

    def __init__(self) -> None:
        self.writers = [Thread(f"writer-{number}") for number in range(2)]
        self.relays = [Thread(f"relay-{number}") for number in range(2)]
        self.operator = Thread("operator")
        self.people: list[int] = []

    async def begin(self) -> None:
        def people() -> list[int]:
            users = get_user_model().objects
            return [users.get_or_create(username=f"person {number}")[0].pk for number in range(PEOPLE)]

        self.people = await self.operator.do(people)

    def end(self) -> None:
        for thread in (*self.writers, *self.relays, self.operator):
            thread.end()


class World:
    """The house, as far as it takes part: steps are its methods."""

    def __init__(self, threads: Threads, bus: ScriptedBus) -> None:
        self.threads, self.bus = threads, bus
        self.table = Table(threads.people)
        self.writers = [Writer(self.table, thread) for thread in threads.writers]
        self.watchers: list[Watcher] = []
        self.relays = [relay.Relay() for _ in threads.relays]
        self.epoch = ""
        self.known: dict[tuple[str, str, int], Event] = {}
        """Every committed event, by epoch, topic and version; trimmed ones too."""
        self.there: set[tuple[str, int]] = set()
        """Those that are in the log now."""
        self.trimmed: set[tuple[str, int]] = set()
        """Those that the last step took out of it."""
        self.heads: dict[str, Stream] = {}
        self.told: dict[str, int] = {}
        """The newest version of each topic that the bus has brought."""
        self.positions: set[int] = set()
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens once, between a read of states and its answer."""

    @property
    def hub(self) -> Hub:
        return Hub.current()

    async def begin(self) -> None:
        await self.threads.operator.do(blank)
        reader = self.hub.start()
        self._slow(reader)
        async with asyncio.timeout(30):
            while not self.hub._ear._confirmed.is_set() or not self.hub._ear._epoch:
                await asyncio.sleep(0.001)
        await self.learn()

    def _slow(self, reader: Reader) -> None:
        """Have something happen inside the join window."""
        states = reader.states

        async def slow(topics: Any) -> Any:
            found = await states(topics)
            if self.meanwhile is not None:
                work, self.meanwhile = self.meanwhile, None
                await work()
            return found

        reader.states = slow  # type: ignore[method-assign]

    async def quiet(self) -> None:
        """Return when nothing is under way any more."""
        calm = 0
        try:
            async with asyncio.timeout(10):
                while calm < 3:
                    await asyncio.sleep(0 if calm else 0.0005)
                    calm = calm + 1 if self._is_quiet() else 0
        except TimeoutError as error:
            raise AssertionError(f"it does not come to rest: {self.hub.tasks._all}") from error

    def _is_quiet(self) -> bool:
        members = [watcher.member for watcher in self.watchers if watcher.member is not None and self._reads(watcher)]
        writing = any(m._writing is not None or (m._closing and not m._closing.done()) for m in members)
        reader = self.hub._reader
        return len(self.hub.tasks) == STANDING and not writing and (reader is None or not reader.is_reading)

    def _reads(self, watcher: Watcher) -> bool:
        return watcher.sink.reads.is_set()

    async def learn(self) -> None:
        """Take what the database has committed by now."""

        def read() -> tuple[str, list[Event], dict[str, Stream]]:
            return log.epoch(), list(Event.objects.all()), {s.topic: s for s in Stream.objects.all()}

        self.epoch, events, self.heads = await self.threads.operator.do(read)
        self.there = {(event.topic, event.version) for event in events}
        for event in events:
            self.known[self.epoch, event.topic, event.version] = event
            if event.pos is not None:
                self.positions.add(event.pos)

    async def settle(self, relays: int) -> None:
        """Have one relay, or two at once, make a round."""

        def round_of(one: relay.Relay) -> None:
            loop = relay._Loop()
            try:
                one._round(loop)
            finally:
                loop.close()

        pairs = list(zip(self.relays, self.threads.relays, strict=True))[:relays]
        await asyncio.gather(*(thread.do(lambda one=one: round_of(one)) for one, thread in pairs))  # type: ignore[misc]

    def hand_over(self, how: str) -> None:
        for hints in self.bus.again() if how == "again" else self.bus.carry(how):
            self._told(hints)

    def _told(self, hints: Hints) -> None:
        for update in hints.updates if hints.epoch == self.epoch else ():
            self.told[update.topic] = max(update.version, self.told.get(update.topic, -1))

    async def look(self) -> None:
        """One round of repair."""
        reader = self.hub.start()
        await self.hub._repair.look(reader, self.hub._ear)

    def versions(self) -> dict[str, int]:
        return {topic: stream.version for topic, stream in self.heads.items()}

    async def trim(self, keep: int) -> None:
        await self.learn()
        before = self.there
        await self.threads.operator.do(lambda: sum(prune(before=timezone.now(), keep=keep)))
        await self.learn()
        self.trimmed |= before - self.there

    async def rotate(self) -> None:
        await self.threads.operator.do(log.rotate_epoch)
        self.told.clear()

    async def put_back(self, key: uuid.UUID, back: int) -> None:
        """Restore a backup: one record is where it was ``back`` versions ago, and the epoch is another."""
        for watcher in self.watchers:
            watcher.leave()
        for writer in self.writers:
            await writer.end_all(fails=True)
        await self.learn()
        topic = f"delivery.{key}"
        version = self.table.versions[key] - back
        if (topic, version) in self.there:
            event = self.known[self.epoch, topic, version]
            await self.threads.operator.do(lambda: restore(key, version, event.state))
            self.table.versions[key] = version
            self.table.rows[key] = event.state and event.state["price"]
        await self.rotate()
        await self.look()
        await self.quiet()

    async def end(self) -> None:
        for watcher in self.watchers:
            watcher.sink.reads.set()
            watcher.leave()
        for writer in self.writers:
            await writer.end_all(fails=True)
        self.hub.end()
        async with asyncio.timeout(30):
            while self.hub.tasks:
                await asyncio.sleep(0.001)

    async def position(self) -> int:
        return await self.threads.operator.do(lambda: Epoch.objects.values_list("pos", flat=True).get())


async def _for_ever(*_: object) -> None:
    await asyncio.get_running_loop().create_future()


@asynccontextmanager
async def world(threads: Threads, seed: int) -> AsyncIterator[World]:
    """A house of its own, empty."""
    bus = ScriptedBus(seed)
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(override_settings(REALTIME={**settings.REALTIME, **SHRUNK}))
        enter(mock.patch.object(brokers, "current", return_value=bus))
        for name in ("wake", "serve", "unserve"):
            enter(mock.patch.object(relay, name))
        enter(mock.patch.object(Repair, "run", _for_ever))
        enter(mock.patch.object(Guard, "run", _for_ever))
        enter(mock.patch.object(Repair, "UNDER_WAY", 0))
        enter(mock.patch.object(Batch, "APART", 0))
        Hub._hubs.pop(asyncio.get_running_loop(), None)
        found = World(threads, bus)
        await found.begin()
        try:
            yield found
        finally:
            await found.end()
            Hub._hubs.pop(asyncio.get_running_loop(), None)
