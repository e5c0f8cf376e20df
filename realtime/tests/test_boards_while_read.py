"""A board that is being read: what changes meanwhile is on it, what is told late is judged by the newest version."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from realtime import relay
from realtime.boards import Listing
from realtime.hub import Hub
from realtime.tests.boarding import keys, late_hint, on, several
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import user
from realtime.tests.syncing import auditor, change, client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]


async def test_what_changes_while_a_board_is_read_is_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    me, other = await sync_to_async(user)(), await sync_to_async(user)()
    kept, leaves = await several(2, sender=me)
    async with client(me) as viewer:
        reader = Hub.current().start()
        read, went_on = reader.listed, asyncio.Event()

        async def slow(listing: Listing, limit: int) -> Any:
            found = await read(listing, limit)
            went_on.set()
            await asyncio.sleep(0)
            (comes,) = await several(1, sender=me, status="came meanwhile")
            await change(leaves, sender=other)
            async with asyncio.timeout(30):
                while not Hub.current().listings.knows(DeliveryFeed.topic(comes.pk), 1):
                    await asyncio.sleep(0.01)
            return found

        monkeypatch.setattr(reader, "listed", slow)
        await viewer.subscribe("b", "deliveries:mine")
        (comes,) = await sync_to_async(lambda: list(Delivery.objects.filter(status="came meanwhile")))()
        assert on(viewer) == keys(kept, comes)


@pytest.mark.parametrize("leaves", [True, False], ids=["leaves the first board", "the first board is given up"])
async def test_what_the_first_board_brought_and_lost_is_not_brought_again_by_the_second(
    monkeypatch: pytest.MonkeyPatch, leaves: bool
) -> None:
    boss = await sync_to_async(auditor)()
    (record,) = await several(1)
    waiting: dict[str, Any] = {"topic": "deliveries:all", "filter": {"status": "waiting"}}
    async with client(boss) as viewer:
        await viewer.subscribe("waiting", **waiting)
        await viewer.subscribe("all", "deliveries:all")
    await change(record, price=11)
    async with client(boss, viewer.mirror) as back:
        reader = Hub.current().start()
        read = reader.listed

        async def slow(listing: Listing, limit: int) -> Any:
            found = await read(listing, limit)
            async with asyncio.timeout(30):
                while not listing.filters and Hub.current().topics():  # until the other board has it no more
                    await asyncio.sleep(0.01)
            return found

        monkeypatch.setattr(reader, "listed", slow)
        have = back.mirror.have()
        await back.socket.say(type="subscribe", id="waiting", **waiting, have=have)
        await back.socket.say(type="subscribe", id="all", topic="deliveries:all", have=have)
        await back.until_type("synced", id="waiting")
        if leaves:
            await change(record, status="moving")
        else:
            back.mirror.says({"type": "unsubscribe", "id": "waiting"})
            await back.socket.say(type="unsubscribe", id="waiting")
        await back.until_type("synced", id="all")
        states = [frame for frame in back.frames if frame["type"] == "delivery.update"]
        assert [(frame["version"], "prev" in frame) for frame in states] == [(2, False), (3, False)][: 1 + leaves]


async def test_a_late_hint_of_what_has_left_since_is_not_on_a_board_that_is_being_read(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 3600}
    me, other = await sync_to_async(user)(), await sync_to_async(user)()
    async with client(me) as viewer:
        await asyncio.to_thread(relay.rest, 30)
        hub = Hub.current()
        monkeypatch.setattr(hub._ear, "_deliver", lambda update: None)  # the test brings the hints itself
        (left,) = await several(1, sender=me)
        await change(left, sender=other)
        reader = hub.start()
        read = reader.listed

        async def slow(listing: Listing, limit: int) -> Any:
            found = await read(listing, limit)
            for version in (1, 2):
                await late_hint(left, version)
            return found

        monkeypatch.setattr(reader, "listed", slow)
        frames = await viewer.subscribe("b", "deliveries:mine")
        assert [frame["type"] for frame in frames] == ["subscribed", "synced"]


async def test_a_late_hint_of_an_old_record_does_not_keep_a_newer_one_from_a_full_board(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 0.1}
    me = await sync_to_async(user)()
    oldest, *newer = [(await several(1, sender=me, id=UUID(int=number)))[0] for number in (1, 2, 3)]
    async with client(me) as viewer:
        hub = Hub.current()
        hub._ear._deliver = lambda update: None
        reader = hub.start()
        read = reader.listed

        async def slow(listing: Listing, limit: int) -> Any:
            found = await read(listing, limit)
            monkeypatch.setattr(reader, "listed", read)
            await late_hint(oldest, 1)
            return found

        monkeypatch.setattr(reader, "listed", slow)
        await viewer.subscribe("b", "deliveries:mine", limit=2)
        while on(viewer) != keys(*newer):
            await viewer.until_type("board")
