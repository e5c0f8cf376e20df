"""Boards: who has one, what is on it, and how records come and go while it is open."""

import asyncio
import threading
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from realtime.boards import VIEWER, Board, Listing, filters_of
from realtime.exceptions import BadFilter, DeclarationError
from realtime.feeds import Feed, Field, _register_feed
from realtime.hub import Hub
from realtime.lookout import listed
from realtime.speaker import Speaker
from realtime.tests.boarding import keys, on, several
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user
from realtime.tests.syncing import auditor, change, client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]


async def test_a_stranger_has_an_empty_board_and_others_records_never_come_onto_it() -> None:
    await several(3)
    stranger = await sync_to_async(user)()
    async with client(stranger) as viewer:
        assert [f["type"] for f in await viewer.subscribe("b", "deliveries:mine")] == ["subscribed", "synced"]
        (record,) = await several(1)
        await change(record, status="moving")
        (mine,) = await several(1, sender=stranger)
        await viewer.until_type("board")
        assert on(viewer) == keys(mine)
        assert {f["delivery_id"] for f in viewer.frames if f["type"] == "delivery.update"} == keys(mine)


async def test_records_come_and_go_with_the_event_that_says_so() -> None:
    me, other = await sync_to_async(user)(), await sync_to_async(user)()
    first, second = await several(2, courier=me)
    async with client(me) as viewer:
        await viewer.subscribe("b", "deliveries:carried")
        assert on(viewer) == keys(first, second)
        await change(first, courier=other)
        removal = await viewer.until_type("board")
        assert removal["removed"] == [{"delivery_id": str(first.pk), "reason": "reassigned"}]
        await change(first, status="not for him any more")
        await change(first, courier=me, status="his again")
        added = await viewer.until_type("board")
        assert added["added"] == [str(first.pk)]
        assert viewer.mirror.records[str(first.pk)]["prev"] is None, "he holds nothing of it"
        await sync_to_async(Delivery.objects.filter(pk=second.pk).delete)()
        removal = await viewer.until_type("board")
        assert removal["removed"] == [{"delivery_id": str(second.pk), "reason": "deleted"}]
        assert on(viewer) == keys(first)
        assert "not for him any more" not in str(viewer.frames)


async def test_a_filter_is_kept_as_records_change() -> None:
    boss = await sync_to_async(auditor)()
    waiting, moving = (await several(1))[0], (await several(1, status="moving"))[0]
    async with client(boss) as viewer:
        await viewer.subscribe("b", "deliveries:all", filter={"status": ["moving", "late"]})
        assert on(viewer) == keys(moving)
        await change(waiting, status="late")
        await viewer.until_type("board")
        assert on(viewer) == keys(moving, waiting)
        await change(moving, status="there")
        removal = await viewer.until_type("board")
        assert removal["removed"] == [{"delivery_id": str(moving.pk), "reason": "filtered"}]
        assert "there" not in [frame.get("status") for frame in viewer.frames], "a removed record's state is not sent"


async def test_one_record_moves_between_two_boards_of_a_socket() -> None:
    boss = await sync_to_async(auditor)()
    (record,) = await several(1)
    async with client(boss) as viewer:
        await viewer.subscribe("waiting", "deliveries:all", filter={"status": "waiting"})
        await viewer.subscribe("moving", "deliveries:all", filter={"status": "moving"})
        await change(record, status="moving")
        await viewer.until_type("board", id="waiting")
        assert (on(viewer, "waiting"), on(viewer, "moving")) == (set(), keys(record))
        versions = [frame["version"] for frame in viewer.frames if frame["type"] == "delivery.update"]
        assert versions == [1, 2]


async def test_a_full_board_keeps_its_newest_and_is_filled_again() -> None:
    boss = await sync_to_async(auditor)()
    old = await several(3)
    async with client(boss) as viewer:
        synced = (await viewer.subscribe("b", "deliveries:all", limit=2))[-1]
        assert synced["total"] == 3
        before = on(viewer)
        assert len(before) == 2
        (oldest,) = await several(1, id=UUID(int=1))
        (new,) = await several(1, id=UUID(int=2**128 - 1))
        removal = await viewer.until(lambda frame: frame["type"] == "board" and frame["removed"])
        assert removal["removed"][0]["reason"] == "limit"
        assert keys(new) < on(viewer)
        assert len(on(viewer)) == 2
        for record in await sync_to_async(lambda: list(Delivery.objects.filter(pk__in=on(viewer))))():
            await sync_to_async(record.delete)()
        while len(on(viewer)) < 2 or on(viewer) & {str(new.pk)}:
            await viewer.until_type("board")
        assert on(viewer) <= keys(*old, oldest)


async def first_look_is_over() -> Hub:
    """Return the hub when repair has looked for the first time, soon after the bus was proven."""
    hub = Hub.current()
    async with asyncio.timeout(30):
        while hub._repair._position is None or not await hub.tasks.ended("proof", 1):
            await asyncio.sleep(0.01)
    return hub


async def test_viewers_who_ask_for_the_same_share_one_read(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 3600, "IDENTITY_SECONDS": 3600}
    boss = await sync_to_async(auditor)()
    await several(3)
    async with client(boss) as one, client(boss) as two, client(boss) as three:
        hub = await first_look_is_over()
        hub._repair._position = None  # nobody has had a board: from where on they are told is read too
        reader, all_have_asked = hub.start(), threading.Event()
        calls: list[object] = []
        original = reader.call

        async def counted(work: Any) -> Any:
            calls.append(work)
            return await original(work)

        busy = asyncio.ensure_future(original(lambda: all_have_asked.wait(30)))  # so that none of them is before
        monkeypatch.setattr(reader, "call", counted)
        asked = [asyncio.ensure_future(viewer.subscribe("b", "deliveries:all")) for viewer in (one, two, three)]
        async with asyncio.timeout(30):
            while not all(isinstance(who, Speaker) and who.subscriptions.boards for who in hub.members):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0)  # who was heard in this turn of the loop asks in the next
        all_have_asked.set()
        await asyncio.gather(busy, *asked)
        assert len(calls) == 4, "position, epoch, list and states: once, and not once a socket"


def test_python_and_sql_list_the_same() -> None:
    me = user()
    delivery(sender=me)
    moving = delivery(sender=me, status="moving")
    delivery(status="moving")
    cases: list[tuple[dict[str, Any], list[UUID]]] = [
        ({"status": "moving"}, [moving.pk]),
        ({"status": ["late"]}, []),
        ({"status": None}, []),
    ]
    for asked, expected in cases:
        listing = Listing("delivery", (("sender_id", me.pk),), filters_of(DeliveryFeed, asked))
        assert listed(listing, 10) == (expected, len(expected))
        rows = Delivery.objects.values("pk", "sender_id", "status")
        assert [row["pk"] for row in rows if listing.has(row)] == expected


def test_a_filter_takes_values_of_its_field_only() -> None:
    values: list[Any] = [7, True, [], {}, ["x"] * 21]
    for asked in ({"price": "1"}, *({"status": value} for value in values)):
        with pytest.raises(BadFilter):
            filters_of(DeliveryFeed, asked)


def test_a_board_asks_for_gates_and_filters_for_what_all_see() -> None:
    class Wrong(Feed):
        name = "wrong"
        model = Delivery
        audiences = ("client",)
        gates = ("sender_id",)
        status = Field(to={"client"})
        mine = Board(client={"courier_id": VIEWER})

    with pytest.raises(DeclarationError, match="courier_id"):
        _register_feed(Wrong)
    Wrong.boards = {}
    Wrong.filters = {"status": "status"}
    with pytest.raises(DeclarationError, match="every audience"):
        _register_feed(Wrong)
