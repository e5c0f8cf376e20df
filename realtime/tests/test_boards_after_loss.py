"""Boards when hints are lost, or the history is another: the database says what is on them."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from realtime import log
from realtime.hub import Hub
from realtime.models import Event, Stream
from realtime.tests.boarding import keys, late_hint, on, several
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import unseen, user
from realtime.tests.syncing import change, client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]


async def test_a_record_whose_hint_is_lost_comes_onto_the_board_by_its_position(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 0.1}
    me = await sync_to_async(user)()
    async with client(me) as viewer:
        await viewer.subscribe("b", "deliveries:mine")
        hub = Hub.current()
        hub._ear._deliver = lambda update: None  # deaf: nothing that the bus brings is heard
        records = await several(5, sender=me)
        while on(viewer) != keys(*records):
            await viewer.until_type("board")
        await change(records[0], sender=await sync_to_async(user)())
        await viewer.until_type("board")
        assert on(viewer) == keys(*records[1:])


async def test_a_board_is_read_anew_when_positions_are_missing(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 0.1}
    me = await sync_to_async(user)()
    async with client(me) as viewer:
        await viewer.subscribe("b", "deliveries:mine")
        hub = Hub.current()
        hub._ear._deliver = lambda update: None
        hub._repair._position = -5  # retention has taken what lies between
        records = await several(2, sender=me)
        while on(viewer) != keys(*records):
            await viewer.until_type("board")


async def test_a_record_that_left_and_came_back_is_on_the_board_though_one_hint_was_lost(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 3600}
    me, other = await sync_to_async(user)(), await sync_to_async(user)()
    (record,) = await several(1, sender=me)
    async with client(me) as viewer:
        await viewer.subscribe("b", "deliveries:mine")
        Hub.current()._ear._deliver = lambda update: None
        await change(record, sender=other)
        await change(record, sender=me)
        await late_hint(record, 3)
        assert (await viewer.until_type("board"))["removed"]
        assert (await viewer.until_type("board"))["added"] == [str(record.pk)]
        assert viewer.mirror.records[str(record.pk)]["version"] == 3


async def test_what_was_offered_in_another_history_is_offered_again(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 0.1}
    me, other = await sync_to_async(user)(), await sync_to_async(user)()
    (record,) = await several(1)
    topic = DeliveryFeed.topic(record.pk)
    async with client(other) as holds_the_hub, client(me) as viewer:
        await holds_the_hub.subscribe("b", "deliveries:mine")
        await viewer.subscribe("b", "deliveries:mine")
        for number in range(5):
            await change(record, status=f"stop {number}")
        async with asyncio.timeout(30):
            while not Hub.current().listings.knows(topic, 6):
                await asyncio.sleep(0.01)
        await sync_to_async(Event.objects.filter(topic=topic).delete)()
        await sync_to_async(Stream.objects.filter(topic=topic).update)(version=1)  # a backup was restored
        await sync_to_async(log.rotate_epoch)()
        assert await viewer.socket.closed() == 4012
        assert 0 < viewer.frames[-1]["retry_after_ms"] <= 5000, "not all at once"
        async with client(me) as back:
            await back.subscribe("b", "deliveries:mine")
            await change(record, sender=me)
            await back.until_type("board")
            assert on(back) == keys(record)


async def test_after_a_restored_backup_versions_that_come_again_come_onto_boards() -> None:
    me, other = await sync_to_async(user)(), await sync_to_async(user)()
    async with client(me) as viewer:
        await viewer.subscribe("b", "deliveries:mine")
        (record,) = await several(1, sender=me)
        await viewer.until_type("board")
        await change(record, sender=other)
        await viewer.until_type("board")

        @sync_to_async
        def restored() -> None:
            first = Event.objects.get(topic=DeliveryFeed.topic(record.pk), version=1)
            Event.objects.filter(topic=first.topic, version__gt=1).delete()
            with unseen():
                Delivery.objects.filter(pk=record.pk).update(sender=other)
            state = {**(first.state or {}), "sender_id": other.pk}
            Stream.objects.filter(topic=first.topic).update(version=1, state=state)
            log.rotate_epoch()

        await restored()
        assert await viewer.socket.closed() == 4012
        async with client(me) as again:
            await again.subscribe("b", "deliveries:mine")
            await change(record, sender=me)  # version 2 once more
            await again.until_type("board")
            assert on(again) == keys(record)
