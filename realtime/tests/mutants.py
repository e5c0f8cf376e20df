"""The design with one thought left out, eight times: each must break a random history, or the histories are no test.

Each is a context manager that patches the design while it lasts. Some are healed by a second mechanism after a while;
the docstring says what still shows them.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest import mock

from django.db import transaction

from realtime import brokers, ear, log, rows, signals
from realtime.ear import Ear
from realtime.gateways import opening
from realtime.hub import Hub
from realtime.member import Member
from realtime.models import Epoch, Event
from realtime.protocol.codec import Hints, Message, seal, unseal
from realtime.protocol.frames import Update
from realtime.protocol.messages import Have
from realtime.protocol.resume import Resumption
from realtime.protocol.session import Session
from realtime.repair import Repair
from realtime.testing import capture_at_once


@contextmanager
def publish_before_commit() -> Iterator[None]:
    """Events are published with the statement that makes them. Seen as I1: a version that was rolled back."""
    execute = signals._execute_saying_who

    def eager(run: Any, sql: Any, params: Any, many: bool, context: Mapping[str, Any]) -> Any:
        result = execute(run, sql, params, many, context)
        if context["connection"].in_atomic_block and threading.current_thread().name.startswith("writer"):
            capture_at_once()
            updates = [log.update_of(event) for event in Event.objects.filter(pos=None).order_by("id")]
            for update in updates:
                asyncio.run(brokers.current().publish(0, seal(Hints(log.epoch(), [update]), brokers.key())))
        return result

    with mock.patch.object(signals, "_execute_saying_who", eager):
        yield


@contextmanager
def identity_sequence() -> Iterator[None]:
    """The relay asks for ids above the last that it saw, but ids are given before the commit.

    Seen as I15, in the end an event without a position, and before that as I5 and I8: its hint is never published.
    """
    last = {"id": 0}
    one_at_a_time = threading.Lock()

    def settle(*, limit: int) -> tuple[str, list[Update]]:
        with one_at_a_time, transaction.atomic():
            return settle_above()

    def settle_above() -> tuple[str, list[Update]]:
        fresh = list(Event.objects.filter(pos=None, id__gt=last["id"]).order_by("id"))
        if not fresh:
            return "", []
        last["id"] = fresh[-1].pk
        first = Epoch.objects.values_list("pos", flat=True).get() + 1
        rows.stamp([event.pk for event in fresh], first, using="default")
        Epoch.objects.update(pos=first + len(fresh) - 1)
        return log.epoch(), [log.update_of(event) for event in fresh]

    with mock.patch.object(log, "settle", settle):
        yield


@contextmanager
def no_gap_check() -> Iterator[None]:
    """Whatever is newer is sent, without a look at what lies between.

    In the mode ``latest`` such a frame is honest, its ``prev`` says what it follows; seen as I2: a version that is in
    the log, for a reader who keeps up, never came.
    """
    with mock.patch.object(Session, "_is_gap", return_value=False):
        yield


@contextmanager
def no_duplicate_check() -> Iterator[None]:
    """What comes twice is sent twice, and what is late comes after what is newer. Seen as I4."""
    with mock.patch.object(Session, "_is_duplicate", return_value=False):
        yield


@contextmanager
def no_head_check() -> Iterator[None]:
    """Repair looks after nobody's versions and no positions. Seen as I5: the last hint was lost."""

    async def nothing(*_: object) -> None: ...

    with mock.patch.object(Repair, "_compare", nothing):
        yield


@contextmanager
def no_epoch() -> Iterator[None]:
    """Cursors and hints count whatever history they are of.

    Seen as I14: versions of before the restore are gone on with; and as I1: a hint of before it is shown.
    """

    def cursors(have: Have | None, *, epoch: str) -> dict[str, int]:
        return dict(have.versions) if have is not None else {}

    def resumption(have: Have | None, *, epoch: str, **_: Any) -> Resumption:
        return Resumption(have is not None)

    heard = Ear._heard

    def whatever(self: Ear, body: str) -> None:
        def of_this_epoch(sealed: object, *keys: bytes) -> Message:
            message = unseal(sealed, *keys)
            return Hints(self._epoch, message.updates) if isinstance(message, Hints) else message

        with mock.patch.object(ear, "unseal", of_this_epoch):
            heard(self, body)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(opening, "cursors", cursors))
        stack.enter_context(mock.patch.object(opening, "resumption", resumption))
        stack.enter_context(mock.patch.object(Ear, "_heard", whatever))
        yield


@contextmanager
def subscribe_after_snapshot() -> Iterator[None]:
    """A topic is watched from when its state was read. Repair heals it within a second.

    Seen as I8: what the bus has brought, its viewers do not have.
    """
    hold, release = Hub.hold, Hub.release

    def only_remember(self: Hub, member: Member, topic: str, *, after: int | None = None) -> None:
        member.session.join(topic, after=after)

    def watch_and_release(self: Hub, member: Member, topic: str, updates: Any, **more: Any) -> None:
        if topic in member.session and member not in self._watchers.get(topic, {}):
            state = member.session._cursors[topic]
            hold(self, member, topic, after=state.sent)
        release(self, member, topic, updates, **more)

    with mock.patch.object(Hub, "hold", only_remember), mock.patch.object(Hub, "release", watch_and_release):
        yield


@contextmanager
def trim_silently() -> Iterator[None]:
    """What is left of trimmed history passes for all of it. Seen as I14: told ``recovered``, a version did not come."""

    whole = log.missed

    def missed(after: Mapping[str, int], *, limit: int) -> dict[str, list[Update]]:
        found = whole(after, limit=limit)
        if not limit:
            return found
        for topic, version in after.items():
            events = Event.objects.filter(topic=topic, version__gt=version).order_by("version")
            found[topic] = [log.update_of(event) for event in events] or found[topic]
        return found

    every_version = opening.Opening._every_version

    async def all_of_it(self: Any, reader: Any, update: Update) -> tuple[list[Update], bool]:
        updates, _ = await every_version(self, reader, update)
        return updates, True

    with mock.patch.object(log, "missed", missed), mock.patch.object(opening.Opening, "_every_version", all_of_it):
        yield


Mutant = Callable[[], AbstractContextManager[None]]
MUTANTS: list[Mutant] = [
    publish_before_commit,
    identity_sequence,
    no_gap_check,
    no_duplicate_check,
    no_head_check,
    no_epoch,
    subscribe_after_snapshot,
    trim_silently,
]
