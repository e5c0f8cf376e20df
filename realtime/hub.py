"""What the sockets of one event loop share: one ear on the bus, one reader of the database, one encoding a frame.

Started with the first socket and ended after the last. The decisions are ``protocol.session``'s; the hub performs
them and awaits nobody's socket.
"""

import asyncio
import logging
import weakref
from collections.abc import Coroutine, Iterable
from functools import partial
from typing import Any

from django.db import Error as DatabaseError

from . import conf, log, metrics, relay
from .ear import Ear
from .exceptions import DeclarationError
from .feeds import feed_named
from .masking import audience_of
from .member import Member
from .protocol.closing import Close
from .protocol.frames import Update
from .protocol.outbox import Repeat
from .protocol.session import CatchUp, Effect, Send
from .reader import Reader

logger = logging.getLogger("realtime.hub")


class Hub:
    """Every member of one loop, by topic. ``join`` and ``leave`` are the gateways' door."""

    MESSAGE_CHARS = 500
    """Longest foreign message that is repeated to viewers."""

    HINTS_UNDER_WAY = 0.1
    """Seconds that hints of what repair has just read get to arrive: then there is nothing to read again."""

    _hubs: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = weakref.WeakKeyDictionary()

    @classmethod
    def current(cls) -> "Hub":
        """Return the hub of the running loop; made, but not started, where there is none."""
        loop = asyncio.get_running_loop()
        hub = cls._hubs.get(loop)
        if hub is None:
            hub = cls._hubs[loop] = cls()
        return hub

    def __init__(self) -> None:
        self._watchers: dict[str, dict[Member, None]] = {}
        self._behind: dict[str, set[Member]] = {}
        self._hints: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._working: set[str] = set()
        self._reader: Reader | None = None
        self._look_now = asyncio.Event()
        self._ear = Ear(self.deliver, self.hinted, self._look_now.set, self._start_afresh)

    async def join(self, member: Member, topic: str, *, snapshot: bool = True) -> bool:
        """Watch ``topic`` for ``member`` and send its state; ``False``: there is no such record for this viewer.

        Order matters (PROTOCOL §3, joining): hold, read state and version in one row, send, release. Nobody waits for
        the bus: as soon as it is proven, what was missed before is looked up.
        Raises ``django.db.Error`` when the state cannot be read now.
        """
        reader = self._start()
        member.session.join(topic)
        self._watch(member, topic)
        try:
            update = await reader.state(topic)
        except BaseException:
            self.leave(member)
            raise
        if update is None or audience_of(update, member.viewer) is None:
            self.leave(member)
            return False
        self._perform(member, member.session.fetched(topic, [update], silent=not snapshot))
        return True

    def leave(self, member: Member) -> None:
        """Forget ``member``, whatever it watches."""
        for topic in member.session.topics():
            self._unwatch(member, topic)
        if not self._watchers:
            loop = asyncio.get_running_loop()
            loop.call_later(conf.current().linger_seconds, self._end_when_idle)

    def deliver(self, update: Update) -> None:
        """Take a committed update from the bus, in any order and any number of times."""
        for member in list(self._watchers.get(update.topic, ())):
            self._perform(member, member.session.arrived(update))

    def hinted(self, feed_name: str, key: str, message: str) -> None:
        """Take a foreign "it may have changed": the true state is read; ``key`` may be empty."""
        try:
            feed = feed_named(feed_name)
        except DeclarationError:
            return
        parsed = feed.key(key)
        if parsed is None:
            self._look_now.set()
        elif feed.topic(parsed) in self._watchers:
            self._hints[feed.topic(parsed)] = message[: self.MESSAGE_CHARS]
            self._work("hints", self._look_at_hints)

    def _perform(self, member: Member, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(update=update):
                    if audience_of(update, member.viewer) is None:
                        self._dismiss(member, update.topic)
                        return
                    member.push(effect)
                case CatchUp(topic=topic):
                    self._behind.setdefault(topic, set()).add(member)
                    self._work("gaps", self._close_gaps)

    def _dismiss(self, member: Member, topic: str) -> None:
        """The version that took the viewer's right away ends his watching; nothing after it is sent."""
        self._unwatch(member, topic)
        member.end(Close.NOT_FOUND)

    def _start_afresh(self) -> None:
        """What the sockets hold is of another history (a restored backup): they come back and get this one's state."""
        for topic, watchers in list(self._watchers.items()):
            for member in list(watchers):
                self._unwatch(member, topic)
                member.end(Close.DRAIN)

    def _watch(self, member: Member, topic: str) -> None:
        self._watchers.setdefault(topic, {})[member] = None
        metrics.members.inc()
        self._ear.follow(topic)

    def _unwatch(self, member: Member, topic: str) -> None:
        member.session.leave(topic)
        watchers = self._watchers.get(topic, {})
        if member in watchers:
            del watchers[member]
            metrics.members.dec()
        if not watchers and self._watchers.pop(topic, None) is not None:
            self._ear.unfollow(topic)

    def _work(self, name: str, work: Any) -> None:
        """Run ``work`` once at a time; it looks again before it ends."""
        if name not in self._working:
            self._working.add(name)
            self._spawn(self._worked(name, work))

    async def _worked(self, name: str, work: Any) -> None:
        try:
            await work()
        finally:
            self._working.discard(name)

    async def _close_gaps(self) -> None:
        while self._behind and self._reader is not None:
            behind, self._behind = self._behind, {}
            after = {topic: min(m.session.sent(topic) or 0 for m in members) for topic, members in behind.items()}
            try:
                found = await self._reader.missed(after, limit=conf.current().catch_up_limit)
            except DatabaseError as error:
                self._failed("catch-up", error)
                await asyncio.sleep(conf.current().repair_seconds)
                for topic, members in behind.items():
                    self._behind.setdefault(topic, set()).update(members)
                continue
            for topic, members in behind.items():
                for member in members:
                    self._perform(member, member.session.fetched(topic, found[topic]))

    async def _look_at_hints(self) -> None:
        while self._hints and self._reader is not None:
            hints, self._hints = self._hints, {}
            for topic, message in hints.items():
                try:
                    update = await self._reader.call(partial(log.true_state, topic))
                except DatabaseError as error:
                    self._failed("hint", error)
                    continue
                if update is not None:
                    self._repeat(update, message)
            await asyncio.sleep(0.1)  # a flood of foreign hints costs ten reads a second

    def _repeat(self, update: Update, message: str) -> None:
        for member in list(self._watchers.get(update.topic, ())):
            effects = member.session.head(update.topic, update.version)
            self._perform(member, effects)
            if not effects and message and member.session.sent(update.topic) == update.version:
                member.push(Repeat(update, message))

    def _start(self) -> Reader:
        if self._reader is None:
            self._reader = Reader()
            relay.serve()
            self._spawn(self._repair(self._reader))
            self._spawn(self._ear.listen(self._reader))
        return self._reader

    async def _repair(self, reader: Reader) -> None:
        """Each second: prove the bus, and compare what was sent with the database."""
        while True:
            try:
                async with asyncio.timeout(conf.current().repair_seconds):
                    await self._look_now.wait()
            except TimeoutError:
                pass
            self._look_now.clear()
            try:
                heads = await reader.heads(list(self._watchers))
            except DatabaseError as error:
                self._failed("repair", error)
                continue
            self._work("proof", partial(self._ear.prove, reader))  # a hanging layer holds nobody up
            await asyncio.sleep(self.HINTS_UNDER_WAY)
            for topic, version in heads.items():
                for member in list(self._watchers.get(topic, ())):
                    effects = member.session.head(topic, version)
                    metrics.repaired.labels("heads").inc(len(effects))
                    self._perform(member, effects)

    def _failed(self, part: str, error: Exception) -> None:
        metrics.failures.labels(part).inc()
        logger.warning("%s failed and is tried again: %s", part, error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a task of the hub ended", exc_info=task.exception())

    def _end_when_idle(self) -> None:
        if not self._watchers:
            self.end()

    def end(self) -> None:
        """Forget every member, stop listening and reading; the next socket starts the hub again."""
        for members in list(self._watchers.values()):
            for member in list(members):
                self.leave(member)
        for task in self._tasks:
            task.cancel()
        if self._reader is not None:
            relay.unserve()
            self._reader.end()
            self._reader = None
        self._ear.end()
        self._working.clear()
