"""What the bus loses is found in the database: no version is left out for who keeps up."""

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from realtime import log, relay
from realtime.hub import Hub
from realtime.models import Event
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.screens import Lossy, eventually, made, save, watching

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older]


async def test_lost_hints_are_repaired_and_none_is_left_out(broker: Lossy) -> None:
    record = await made()
    screen = await watching(record)
    broker.loses = True
    for number in range(5):
        await save(record, status=f"stop {number}")
    await eventually(lambda: screen.versions() == [1, 2, 3, 4, 5, 6])


async def test_a_gap_is_closed_before_the_next_version_is_sent(broker: Lossy, settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 60}
    record = await made()
    screen = await watching(record)
    await eventually(lambda: Hub.current()._ear._confirmed.is_set())
    broker.loses = True
    await save(record, status="lost")
    await eventually(lambda: not relay._relay._woken)
    await sync_to_async(lambda: log.settle(limit=10))()
    broker.loses = False
    await save(record, status="moving")
    await eventually(lambda: screen.versions() == [1, 2, 3])


async def test_too_much_missed_is_the_newest_state_with_prev(broker: Lossy, settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "CATCH_UP_LIMIT": 3}
    record = await made()
    screen = await watching(record)
    Hub.current()._repair._now.clear()
    broker.loses = True

    @sync_to_async
    def burst() -> None:
        for number in range(20):
            record.status = f"stop {number}"
            record.save()

    await burst()
    await eventually(lambda: screen.versions()[-1] == 21)
    had = 1
    for frame in screen.frames[1:]:
        assert frame.get("prev", frame["version"] - 1) == had
        had = frame["version"]


async def test_who_is_behind_what_was_trimmed_costs_the_others_nothing(broker: Lossy, settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 3600}
    record = await made()
    far = await watching(record)
    await eventually(lambda: Hub.current()._ear._confirmed.is_set() and far.versions() == [1])
    await eventually(lambda: not Hub.current()._repair._now.is_set())
    broker.loses = True
    await save(record, status="trimmed")
    await save(record, status="kept")
    near = await watching(record)
    await eventually(lambda: near.versions() == [3])
    await sync_to_async(Event.objects.filter(version__lt=3).delete)()
    await save(record, status="moving")
    await save(record, status="there")
    Hub.current().head(DeliveryFeed.topic(record.pk), 5)
    await eventually(lambda: near.versions() == [3, 4, 5])
    await eventually(lambda: far.versions() == [1, 5])


async def test_a_burst_leaves_nothing_out_for_who_keeps_up(broker: Lossy, settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "PENDING_FRAMES": 4}
    record = await made()
    screen = await watching(record)
    await eventually(lambda: screen.versions() == [1])
    broker.loses = True
    for number in range(30):
        await save(record, status=f"stop {number}")
    await eventually(lambda: screen.versions() == list(range(1, 32)))


async def test_a_layer_that_hangs_holds_up_nobody(broker: Lossy) -> None:
    record = await made()
    screen = await watching(record)
    await eventually(lambda: Hub.current()._ear._confirmed.is_set())
    broker.hangs = True
    await save(record, status="moving")
    await eventually(lambda: screen.versions() == [1, 2])
    await save(record, status="there")
    await eventually(lambda: screen.versions() == [1, 2, 3])
    broker.hangs = False
