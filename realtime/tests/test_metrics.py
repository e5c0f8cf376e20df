"""What went wrong and was mended can be seen afterwards: each kind of trouble raises its counter (I19)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from realtime import brokers, log, metrics
from realtime.brokers.memory import MemoryBroker
from realtime.hub import Hub
from realtime.models import Event
from realtime.protocol.codec import Hints, seal
from realtime.protocol.frames import Update
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.people import delivery, user
from realtime.tests.screens import Lossy, eventually, made, save, watching
from realtime.tests.syncing import change, client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]


def read(counter: Any, *labels: str) -> float:
    return float(counter.labels(*labels)._value.get())


@contextmanager
def raises(counter: Any, *labels: str) -> Iterator[Callable[[], bool]]:
    """Yield whether the counter has risen; it must have at the end of the block."""
    before = read(counter, *labels)

    def risen() -> bool:
        return read(counter, *labels) > before

    yield risen
    assert risen(), labels


def update_of(record: Any, version: int) -> Update:
    event = Event.objects.get(topic=DeliveryFeed.topic(record.pk), version=version)
    return log.update_of(event)


async def test_a_hint_that_comes_twice_and_one_that_leaves_a_gap(broker: Lossy) -> None:
    record = await made()
    screen = await watching(record)
    await eventually(lambda: screen.versions() == [1])
    broker.loses = True
    await save(record, status="lost")
    await save(record, status="moving")
    with raises(metrics.skipped, "duplicate"):
        Hub.current().deliver(await sync_to_async(update_of)(record, 1))
    broker.loses = False
    with raises(metrics.repaired, "gap"):
        Hub.current().deliver(await sync_to_async(update_of)(record, 3))


async def test_what_repair_found(broker: Lossy) -> None:
    record = await made()
    screen = await watching(record)
    broker.loses = True
    with raises(metrics.repaired, "heads"):
        await save(record, status="lost")
        await eventually(lambda: screen.versions() == [1, 2])


async def test_a_newer_state_that_took_the_place_of_older_ones(broker: Lossy, settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "PENDING_FRAMES": 2}
    record = await made()
    screen = await watching(record)
    await eventually(lambda: screen.versions() == [1])
    screen.open.clear()
    with raises(metrics.skipped, "superseded") as risen:
        for number in range(100):
            await save(record, status=f"stop {number}")
        await eventually(risen)
    screen.open.set()


async def test_what_was_forged_or_is_of_another_history(broker: Lossy) -> None:
    record = await made()
    await watching(record)
    await eventually(lambda: Hub.current()._ear._confirmed.is_set())
    for kind, body in {"forged": "no signature", "other epoch": seal(Hints("another", []), brokers.key())}.items():
        with raises(metrics.heard, kind) as risen:
            await MemoryBroker.publish(broker, 0, body)
            await eventually(risen)


async def test_who_loses_a_record(broker: Lossy) -> None:
    record = await made()
    screen = await watching(record, as_="courier")
    with raises(metrics.refused, "4404"):
        await save(record, courier=await sync_to_async(user)())
        await eventually(lambda: screen.code == 4404)


async def test_topics_that_are_refused_and_taken_away() -> None:
    record, other = await sync_to_async(delivery)(), await sync_to_async(user)()
    async with client(record.courier) as viewer:
        await viewer.subscribe("a", f"delivery:{record.pk}")
        with raises(metrics.topics_refused, "reassigned"):
            await change(record, courier=other)
            await viewer.until_type("revoked")
        with raises(metrics.topics_refused, "not_found"):
            await viewer.subscribe("a", f"delivery:{record.pk}")
        with raises(metrics.topics_refused, "unknown_id"):
            await viewer.socket.say(type="unsubscribe", id="a")
            await viewer.until_type("error")


async def test_returns_and_how_they_ended() -> None:
    record = await sync_to_async(delivery)()
    for number in range(3):
        await change(record, status=f"stop {number}")
    await sync_to_async(Event.objects.filter(version__lt=4).delete)()
    epoch = await sync_to_async(log.epoch)()
    cases = {"recovered": (epoch, 4), "epoch": ("another", 4), "expired": (epoch, 1), "ahead": (epoch, 9)}
    for outcome, (of, version) in cases.items():
        async with client(record.sender) as viewer:
            with raises(metrics.resumed, outcome):
                have = {"epoch": of, "versions": {str(record.pk): version}}
                if outcome == "recovered":
                    viewer.mirror.records[str(record.pk)] = {"version": version}
                await viewer.subscribe("a", f"delivery:{record.pk}", mode="all", have=have)


async def test_a_database_that_does_not_answer(broker: Lossy, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    record = await made()
    screen = await watching(record)
    heads = log.heads

    def broken(*_: object) -> None:
        raise OperationalError("gone")

    with raises(metrics.failures, "repair") as risen:
        monkeypatch.setattr(log, "heads", broken)
        await eventually(risen)
        monkeypatch.setattr(log, "heads", heads)
    await save(record, status="moving")
    await eventually(lambda: screen.versions() == [1, 2])


async def test_a_record_found_by_its_position(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 0.1}
    me = await sync_to_async(user)()
    async with client(me) as viewer:
        await viewer.subscribe("b", "deliveries:mine")
        Hub.current()._ear._deliver = lambda update: None
        with raises(metrics.repaired, "positions"):
            await sync_to_async(delivery)(sender=me)
            await viewer.until_type("board")
        with raises(metrics.repaired, "boards") as risen:

            def renewed() -> bool:
                Hub.current()._repair._position = -5
                return risen()

            await eventually(renewed)
