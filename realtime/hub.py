"""What the sockets of one event loop share: one ear on the bus, one reader of the database, one encoding a frame.

Started with the first socket and ended after the last. The decisions are those of ``protocol``; the hub performs them
and awaits nobody's socket.
"""

import asyncio
import random
import weakref
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from django.db import Error as DatabaseError

from . import conf, log, metrics, relay
from .ear import Ear
from .exceptions import DeclarationError
from .feeds import feed_named
from .gaps import Gaps
from .guard import Guard
from .listings import Listings
from .masking import audience_of
from .member import Member
from .protocol.closing import Close
from .protocol.frames import Update
from .protocol.outbox import Repeat
from .protocol.session import CatchUp, Effect, Send
from .reader import Reader
from .renewal import Renewal
from .repair import Repair
from .speaker import Speaker
from .tasks import Tasks, failed


class Hub:
    """Every member of one loop, by topic. ``join`` and ``leave`` are the gateways' door; ``dialect`` has the other."""

    MESSAGE_CHARS = 500
    """Longest foreign message that is repeated to viewers."""

    _hubs: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = weakref.WeakKeyDictionary()

    @classmethod
    def current(cls) -> "Hub":
        """Return the hub of the running loop; made, but not started, where there is none."""
        loop = asyncio.get_running_loop()
        hub = cls._hubs.get(loop)
        if hub is None:
            hub = cls._hubs[loop] = cls()
        return hub

    @classmethod
    def end_idle(cls) -> None:
        """End every hub of this process that serves nobody; no loop may be running in another thread."""
        for hub in list(cls._hubs.values()):
            hub.end_when_idle()

    def __init__(self) -> None:
        self.members: dict[Member, None] = {}
        self.listings = Listings()
        self.tasks = Tasks()
        self._watchers: dict[str, dict[Member, None]] = {}
        self._hints: dict[str, str] = {}
        self._reader: Reader | None = None
        self._visitors = self._arriving = 0
        self._lingering: asyncio.TimerHandle | None = None
        self._gaps = Gaps(self)
        self._renewal = Renewal(self)
        self._repair = Repair(self, self._renewal)
        self._guard = Guard(self)
        self._ear = Ear(self.heard, self.hinted, self._repair.look_now, self._start_afresh, self._guard.suspect)

    @property
    def reader(self) -> Reader | None:
        """What reads while the hub is started."""
        return self._reader

    def start(self) -> Reader:
        """Return the reader; listening and repair begin with the first call."""
        if self._reader is None:
            self._reader = Reader(expecting=lambda: self._arriving > 0)
            relay.serve()
            self.tasks.spawn(self._repair.run(self._reader, self._ear))
            self.tasks.spawn(self._ear.listen(self._reader))
            self.tasks.spawn(self._guard.run(self._reader))
        return self._reader

    @contextmanager
    def visit(self, *, arriving: bool = False) -> Iterator[Reader]:
        """Lend the reader to somebody who reads and is no member; the hub does not end meanwhile.

        ``arriving``: he asks for a state next, and not in here, so reads of states wait for him a little.
        """
        self._visitors += 1
        self._arriving += arriving
        try:
            yield self.start()
        finally:
            self._visitors -= 1
            self._arriving -= arriving
            self._end_soon()

    async def ready_for_boards(self) -> Reader:
        """Return the reader when it is known from where on records are offered to boards."""
        reader = self.start()
        await self._repair.know_position(reader)
        return reader

    async def join(self, member: Member, topic: str, *, snapshot: bool = True) -> bool:
        """Watch ``topic`` for ``member`` and send its state; ``False``: there is no such record for this viewer.

        Order matters (PROTOCOL §3, joining): hold, read state and version in one row, send, release. Nobody waits for
        the bus: as soon as it is proven, what was missed before is looked up.
        Raises ``django.db.Error`` when the state cannot be read now.
        """
        reader = self.start()
        self.enrol(member)
        self.hold(member, topic)
        try:
            update = await reader.state(topic)
        except BaseException:
            self.leave(member)
            raise
        if update is None or audience_of(update, member.viewer) is None:
            self.leave(member)
            return False
        self.release(member, topic, [update], silent=not snapshot)
        return True

    def enrol(self, member: Member) -> None:
        """Count ``member`` among the sockets that are served."""
        if member not in self.members:
            self.members[member] = None
            metrics.members.inc()
            self._guard.arrived(member)

    def leave(self, member: Member) -> None:
        """Forget ``member``, whatever it watches."""
        for topic in member.session.topics():
            self.unwatch(member, topic)
        if isinstance(member, Speaker):
            for board in member.subscriptions.boards.values():
                self.listings.discard(board)
        if member in self.members:
            del self.members[member]
            metrics.members.dec()
        self._end_soon()

    def _end_soon(self) -> None:
        """End when nobody has come by ``linger_seconds`` after the last who left; those before him do not count."""
        if not self.members:
            self._linger_no_more()
            loop = asyncio.get_running_loop()
            self._lingering = loop.call_later(conf.current().linger_seconds, self.end_when_idle)

    def _linger_no_more(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    def hold(self, member: Member, topic: str, *, after: int | None = None) -> None:
        """Watch ``topic`` for ``member``; what arrives is held until ``release``."""
        member.session.join(topic, after=after)
        self._watchers.setdefault(topic, {})[member] = None
        self._ear.follow(topic)

    def release(self, member: Member, topic: str, updates: Collection[Update], *, silent: bool = False) -> None:
        """Send ``updates``, which the database has, and then what was held."""
        self._perform(member, member.session.fetched(topic, list(updates), silent=silent))

    def unwatch(self, member: Member, topic: str) -> None:
        member.session.leave(topic)
        watchers = self._watchers.get(topic, {})
        watchers.pop(member, None)
        if not watchers and self._watchers.pop(topic, None) is not None:
            self._ear.unfollow(topic)

    def topics(self) -> list[str]:
        """Return what is watched."""
        return list(self._watchers)

    @property
    def is_blind(self) -> bool:
        """Whether nobody could be asked about for too long: nothing is shown then, and repair finds it afterwards."""
        return self._guard.is_blind

    def heard(self, update: Update) -> None:
        """Take a committed update from the bus, unless it is not known any more who would see it."""
        if self.is_blind:
            metrics.skipped.labels("unverified").inc()
        else:
            self.deliver(update)

    def deliver(self, update: Update) -> None:
        """Take a committed update, in any order and any number of times."""
        for member in list(self._watchers.get(update.topic, ())):
            effects = member.session.arrived(update)
            if not effects and (member.session.sent(update.topic) or 0) >= update.version:
                metrics.skipped.labels("duplicate").inc()
            metrics.repaired.labels("gap").inc(sum(isinstance(effect, CatchUp) for effect in effects))
            self._perform(member, effects)
        self.offer(update)

    def offer(self, update: Update) -> None:
        """Put a record onto the boards that list it now and did not before; its state comes with it."""
        for board, speaker in self.listings.offered(update):
            if update.topic in speaker.session:
                continue  # it is judged there
            if board.passed is not None:
                board.passed[update.topic] = update
            elif board.is_full:
                self._renewal.renew(board, speaker)
            else:
                self.hold(speaker, update.topic)
                self.release(speaker, update.topic, [update])

    def head(self, topic: str, version: int) -> int:
        """Take the newest version that the database has; return how many sockets had missed it."""
        missed = 0
        for member in list(self._watchers.get(topic, ())):
            effects = member.session.head(topic, version)
            missed += len(effects)
            self._perform(member, effects)
        return missed

    def hinted(self, feed_name: str, key: str, message: str) -> None:
        """Take a foreign "it may have changed": the true state is read; ``key`` may be empty."""
        try:
            feed = feed_named(feed_name)
        except DeclarationError:
            return
        parsed = feed.key(key)
        if parsed is None:
            self._repair.look_now()
        elif feed.topic(parsed) in self._watchers:
            self._hints[feed.topic(parsed)] = message[: self.MESSAGE_CHARS]
            self.tasks.once("hints", self._look_at_hints)

    def _perform(self, member: Member, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(update=update):
                    left = member.show(effect)
                    if left:
                        member.session.withheld(effect)
                    for topic in left:
                        self.unwatch(member, topic)
                    if isinstance(member, Speaker):
                        self._renewal.renew_what_wants_it(member)
                    if update.topic in left:
                        self._renewal.renew_what_it_came_back_to(member, update)
                        return
                case CatchUp(topic=topic):
                    self._gaps.close(member, topic)

    async def _look_at_hints(self) -> None:
        while self._hints and self._reader is not None:
            hints, self._hints = self._hints, {}
            for topic, message in hints.items():
                try:
                    update = await self._reader.call(partial(log.true_state, topic))
                except DatabaseError as error:
                    failed("hint", error)
                    continue
                if update is not None:
                    self._repeat(update, message)
            await asyncio.sleep(0.1)  # a flood of foreign hints costs ten reads a second

    def _repeat(self, update: Update, message: str) -> None:
        for member in list(self._watchers.get(update.topic, ())):
            effects = member.session.head(update.topic, update.version)
            self._perform(member, effects)
            if not effects and message and member.session.sent(update.topic) == update.version:
                member.repeat(Repeat(update, message))

    def _start_afresh(self) -> None:
        """What the sockets hold is of another history (a restored backup): they come back and get this one's state."""
        for member in list(self.members):
            self.leave(member)
            self._send_away(member)
        self.listings.forget_versions()

    def drain(self) -> None:
        """Have every socket written what waits for it, and ended."""
        for member in self.members:
            self._send_away(member)

    def _send_away(self, member: Member) -> None:
        """End a socket that is to come back; all of them at different times."""
        member.end(Close.DRAIN, retry_after=random.uniform(0, conf.current().return_seconds))

    def end_when_idle(self) -> None:
        """End, unless somebody is served."""
        if not (self.members or self._visitors):
            self.end()

    def end(self) -> None:
        """Forget every member, stop listening and reading; the next socket starts the hub again."""
        for member in list(self.members):
            self.leave(member)
        self._linger_no_more()
        self.listings.forget_versions()
        self.tasks.cancel()
        if self._reader is not None:
            relay.unserve()
            self._reader.end()
            self._reader = None
        self._ear.end()
        self._repair.end()
