"""Boards: who has one, what is on it, and how records come and go while it is open."""

import asyncio
import threading
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from realtime import log, relay
from realtime.boards import VIEWER, Board, Listing, filters_of
from realtime.exceptions import BadFilter, DeclarationError
from realtime.feeds import Feed, Field, _register_feed
from realtime.hub import Hub
from realtime.lookout import listed
from realtime.models import Event, Stream
from realtime.speaker import Speaker
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, unseen, user
from realtime.tests.syncing import Client, auditor, change, client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]


@sync_to_async
def several(number: int, **values: Any) -> list[Delivery]:
    return [delivery(**values) for _ in range(number)]


def on(viewer: Client, name: str = "b") -> set[str]:
    return set(viewer.mirror.boards[name])


def keys(*records: Delivery) -> set[str]:
    return {str(record.pk) for record in records}


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


async def late_hint(record: Delivery, version: int) -> None:
    """Bring what the bus has kept back: an old version, after newer ones were committed."""

    @sync_to_async
    def update() -> Any:
        return log.update_of(Event.objects.get(topic=DeliveryFeed.topic(record.pk), version=version))

    Hub.current().deliver(await update())


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
