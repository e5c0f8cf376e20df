"""Coming back with ``have``: exactly what was missed, or the state and the reason why not (I7, I14)."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from realtime import log
from realtime.boards import Listing
from realtime.hub import Hub
from realtime.models import Event
from realtime.testing.mirror import Mirror
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user
from realtime.tests.syncing import auditor, change, client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]

LAST = 6


@sync_to_async
def changed(times: int, **values: Any) -> Delivery:
    """Return a delivery that has changed until its version is ``times``."""
    record = delivery(**values)
    for number in range(times - 1):
        record.status = f"stop {number}"
        record.save()
    while log.settle(limit=100)[1]:
        continue
    return record


async def returns(record: Delivery, viewer: Any, version: int | None, **more: Any) -> list[dict[str, Any]]:
    """Return what a client gets that holds ``version``, from ``subscribed`` to ``synced``."""
    epoch = more.pop("epoch", None) or await sync_to_async(log.epoch)()
    have = {"epoch": epoch, "versions": {} if version is None else {str(record.pk): version}}
    mirror = Mirror(DeliveryFeed)
    if version is not None:
        mirror.records[str(record.pk)] = {"version": version}
    if more.pop("strict", True):
        async with client(viewer, mirror) as came:
            return await came.subscribe("a", f"delivery:{record.pk}", have=have, **more)
    async with client(viewer) as came:
        return await came.subscribe("a", f"delivery:{record.pk}", have=have, **more)


def told(frames: list[dict[str, Any]]) -> tuple[bool, str | None, list[int], list[Any]]:
    """Return ``recovered``, ``reason``, the versions sent, and what each says it follows."""
    updates = [frame for frame in frames if frame["type"] == "delivery.update"]
    versions = [frame["version"] for frame in updates]
    follows = [frame.get("prev", frame["version"] - 1) for frame in updates]
    return frames[0]["recovered"], frames[0]["reason"], versions, follows


async def test_who_has_no_right_any_more_is_told_what_a_stranger_is() -> None:
    record = await changed(3)
    former = record.courier
    await change(record, courier=await sync_to_async(user)())
    for mode in ("latest", "all"):
        (error,) = await returns(record, former, 3, mode=mode)
        (other,) = await returns(record, await sync_to_async(user)(), 3, mode=mode)
        assert error == other
        assert error["code"] == "not_found"


@pytest.mark.parametrize("mode", ["latest", "all"])
@pytest.mark.parametrize("held", [None, *range(LAST + 1)])
async def test_from_every_version_twice_in_a_row(mode: str, held: int | None) -> None:
    record = await changed(LAST)
    for _ in range(2):
        recovered, reason, versions, follows = told(await returns(record, record.sender, held, mode=mode))
        assert (recovered, reason) == (True, None)
        if held is None:
            assert (versions, follows) == ([LAST], [None])
        elif held == LAST:
            assert versions == []
        elif mode == "latest":
            assert (versions, follows) == ([LAST], [held])
        else:
            assert versions == list(range(held + 1, LAST + 1))
            assert follows == list(range(held, LAST))


@pytest.mark.parametrize("mode", ["latest", "all"])
async def test_another_history_is_not_gone_on_with(mode: str) -> None:
    record = await changed(LAST)
    for held in (2, LAST, LAST + 5):
        frames = await returns(record, record.sender, held, mode=mode, epoch="of another", strict=False)
        assert told(frames) == (False, "epoch", [LAST], [None])


@pytest.mark.parametrize("mode", ["latest", "all"])
async def test_who_is_ahead_gets_the_state_and_is_told(mode: str) -> None:
    record = await changed(LAST)
    frames = await returns(record, record.sender, LAST + 3, mode=mode, strict=False)
    assert told(frames) == (False, "ahead", [LAST], [None])


async def test_trimmed_history_is_said_and_never_sent_in_part() -> None:
    record = await changed(LAST)
    await sync_to_async(Event.objects.filter(topic=DeliveryFeed.topic(record.pk), version__lte=3).delete)()
    assert told(await returns(record, record.sender, 1, mode="all")) == (False, "expired", [LAST], [1])
    assert told(await returns(record, record.sender, 3, mode="all")) == (True, None, [4, 5, 6], [3, 4, 5])
    await sync_to_async(Event.objects.all().delete)()
    assert told(await returns(record, record.sender, 4, mode="all")) == (False, "expired", [LAST], [4])
    assert told(await returns(record, record.sender, 5, mode="all")) == (True, None, [LAST], [5]), "the state is all"
    assert told(await returns(record, record.sender, 1, mode="latest")) == (True, None, [LAST], [1])


async def test_too_much_missed_is_the_newest_state(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "CATCH_UP_LIMIT": 3}
    record = await changed(LAST)
    assert told(await returns(record, record.sender, 2, mode="all")) == (False, "expired", [LAST], [2])
    assert told(await returns(record, record.sender, 3, mode="all"))[0]


async def test_versions_of_days_when_it_was_not_his_are_left_out() -> None:
    record = await changed(2)
    courier, other = record.courier, await sync_to_async(user)()
    await change(record, courier=other)
    await change(record, status="secret")
    await change(record, courier=courier, status="back")
    frames = await returns(record, courier, 1, mode="all")
    assert told(frames) == (True, None, [2, 5], [1, 2])
    assert "secret" not in str(frames)


async def test_with_mode_all_nothing_is_merged_for_a_slow_reader(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "PENDING_FRAMES": 1}
    record = await changed(1)
    async with client(record.sender) as viewer:
        await viewer.subscribe("a", f"delivery:{record.pk}", mode="all")
        for number in range(12):
            await change(record, status=f"stop {number}")
        await viewer.until_type("delivery.update", version=13)
        versions = [frame["version"] for frame in viewer.frames if frame["type"] == "delivery.update"]
        assert versions == list(range(1, 14))


async def test_a_board_returns_with_what_it_missed_only() -> None:
    me = await sync_to_async(user)()
    records = await sync_to_async(lambda: [delivery(sender=me) for _ in range(20)])()
    mirror = Mirror(DeliveryFeed)
    async with client(me, mirror) as viewer:
        await viewer.subscribe("b", "deliveries:mine")
    for record in records[:3]:
        await change(record, status="changed")
    await change(records[3], sender=await sync_to_async(user)())
    await sync_to_async(Delivery.objects.filter(pk=records[4].pk).delete)()
    await sync_to_async(Event.objects.all().delete)()
    async with client(me, mirror) as viewer:
        frames = await viewer.subscribe("b", "deliveries:mine", have=mirror.have())
        subscribed, *updates, board, synced = frames
        assert subscribed["recovered"]
        assert {frame["delivery_id"] for frame in updates} == {str(record.pk) for record in records[:3]}
        assert {frame["prev"] if "prev" in frame else frame["version"] - 1 for frame in updates} == {1}
        gone = {removal["delivery_id"]: removal["reason"] for removal in board["removed"]}
        assert gone.keys() == {str(records[3].pk), str(records[4].pk)}
        assert (
            synced["deliveries"].keys() == set(mirror.boards["b"]) == {str(r.pk) for r in (*records[:3], *records[5:])}
        )
        again = await viewer.subscribe("c", "deliveries:mine", have=mirror.have())
        assert [frame["type"] for frame in again] == ["subscribed", "synced"]


async def test_who_leaves_a_board_while_it_is_read_is_said_to_be_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client holds three; one leaves, and one gives way to a newer record, after the list was read."""
    boss, other = await sync_to_async(auditor)(), await sync_to_async(user)()
    records = [await sync_to_async(delivery)(sender=other, id=UUID(int=number)) for number in (1, 2, 3)]
    mirror = Mirror(DeliveryFeed)
    async with client(boss, mirror) as viewer:
        await viewer.subscribe("b", "deliveries:all", filter={"status": "waiting"}, limit=3)
    async with client(boss, mirror) as viewer:
        reader = Hub.current().start()
        read = reader.listed

        async def slow(listing: Listing, limit: int) -> Any:
            found = await read(listing, limit)
            await change(records[2], status="moving")
            for number in (4, 5):
                record = await sync_to_async(delivery)(sender=other, id=UUID(int=number))
                async with asyncio.timeout(30):
                    while not Hub.current().listings.knows(DeliveryFeed.topic(record.pk), 1):
                        await asyncio.sleep(0.01)
            return found

        monkeypatch.setattr(reader, "listed", slow)
        *_, board, synced = await viewer.subscribe(
            "b", "deliveries:all", filter={"status": "waiting"}, limit=3, have=mirror.have()
        )
        gone = {removal["delivery_id"]: removal["reason"] for removal in board["removed"]}
        assert gone == {str(records[0].pk): "limit", str(records[2].pk): "filtered"}
        assert mirror.records.keys() == synced["deliveries"].keys()


async def test_what_a_board_has_no_place_for_any_more_is_said_to_be_so() -> None:
    me = await sync_to_async(user)()
    records = await sync_to_async(lambda: [delivery(sender=me) for _ in range(3)])()
    mirror = Mirror(DeliveryFeed)
    async with client(me, mirror) as viewer:
        await viewer.subscribe("b", "deliveries:mine")
        assert len(mirror.boards["b"]) == len(records)
    async with client(me, mirror) as viewer:
        *_, board, synced = await viewer.subscribe("b", "deliveries:mine", limit=2, have=mirror.have())
        assert [removal["reason"] for removal in board["removed"]] == ["limit"]
        assert (len(synced["deliveries"]), synced["total"]) == (2, 3)


async def test_a_promise_of_every_version_is_not_made_when_another_topic_was_quicker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = await changed(LAST)
    epoch = await sync_to_async(log.epoch)()
    have = {"epoch": epoch, "versions": {str(record.pk): 1}}
    mirror = Mirror(DeliveryFeed)
    mirror.records[str(record.pk)] = {"version": 1}
    async with client(record.sender, mirror) as viewer:
        mirror.topics = {"all": str(record.pk), "latest": str(record.pk)}
        reader = Hub.current().start()
        read, went_on = reader.missed, asyncio.Event()

        async def slow(after: Any, **more: Any) -> Any:
            await went_on.wait()
            return await read(after, **more)

        monkeypatch.setattr(reader, "missed", slow)
        for name in ("all", "latest"):
            await viewer.socket.say(type="subscribe", id=name, topic=f"delivery:{record.pk}", have=have, mode=name)
        await viewer.until_type("synced", id="latest")
        went_on.set()
        await viewer.until_type("subscribed", id="all", recovered=False, reason="expired")
        await viewer.until_type("synced", id="all")
        assert [frame["version"] for frame in viewer.frames if frame["type"] == "delivery.update"] == [LAST]


async def test_cursors_that_are_no_keys_are_nothing() -> None:
    me = await sync_to_async(user)()
    epoch = await sync_to_async(log.epoch)()
    stranger = await sync_to_async(delivery)()
    async with client(me) as viewer:
        have = {"epoch": epoch, "versions": {"seven": 1, "": 2, str(stranger.pk): 1}}
        frames = await viewer.subscribe("b", "deliveries:mine", have=have)
        assert [frame["type"] for frame in frames] == ["subscribed", "board", "synced"]
        assert frames[1]["removed"] == [{"delivery_id": str(stranger.pk), "reason": "forbidden"}]
