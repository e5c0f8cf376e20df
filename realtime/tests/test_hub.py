"""The hub of one loop: joins, lost rights, one read for many, which hints it takes."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from realtime import brokers, log
from realtime.feeds import Viewer
from realtime.hub import Hub
from realtime.protocol.codec import Hints, seal
from realtime.protocol.frames import Update
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.people import user
from realtime.tests.screens import Lossy, Screen, eventually, made, save, watching

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older]


async def test_a_stranger_does_not_join(broker: Lossy) -> None:
    record = await made()
    stranger = await sync_to_async(user)()
    screen = Screen(Viewer(stranger.pk))
    assert not await Hub.current().join(screen.member, DeliveryFeed.topic(record.pk))
    await save(record, status="moving")
    other = await watching(record)
    await eventually(lambda: other.versions() == [2])
    assert screen.frames == []


async def test_each_version_is_sent_masked_for_its_viewer(broker: Lossy) -> None:
    record = await made()
    sender, courier = await watching(record), await watching(record, as_="courier")
    for status in ("packed", "moving", "there"):
        await save(record, status=status)
    await eventually(lambda: sender.versions() == courier.versions() == [1, 2, 3, 4])
    assert [frame["price"] for frame in sender.frames] == ["10.00"] * 4
    assert [frame["price"] for frame in courier.frames] == [None] * 4
    assert courier.frames[-1]["masked"] == ["price"]
    assert courier.frames[-1]["delivery_id"] == str(record.pk)


async def test_without_a_snapshot_the_next_version_is_first(broker: Lossy) -> None:
    record = await made()
    screen = await watching(record, snapshot=False)
    await save(record, status="moving")
    await eventually(lambda: screen.versions() == [2])
    assert "prev" not in screen.frames[0]


async def test_who_loses_the_record_gets_its_code_and_nothing_after(broker: Lossy) -> None:
    record = await made()
    sender, courier = await watching(record), await watching(record, as_="courier")
    successor = await sync_to_async(user)()
    await save(record, courier=successor, status="handed over")
    await save(record, status="moving")
    await eventually(lambda: courier.code is not None and sender.versions() == [1, 2, 3])
    assert (courier.code, courier.versions()) == (4404, [1])
    assert (await watching(record, as_="courier")).code is None


async def test_a_deleted_record_ends_its_sockets(broker: Lossy) -> None:
    record = await made()
    screen = await watching(record)
    await sync_to_async(record.delete)()
    await eventually(lambda: screen.code == 4404)
    assert screen.versions() == [1]


async def test_many_joins_are_few_reads(broker: Lossy, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [await made() for _ in range(3)]
    reads: list[int] = []
    states = log.states

    def counted(topics: list[str]) -> dict[str, Update]:
        reads.append(len(topics))
        return states(topics)

    monkeypatch.setattr(log, "states", counted)
    screens = await asyncio.gather(*(watching(record) for record in records * 50))
    await eventually(lambda: all(screen.versions() == [1] for screen in screens))
    assert len(reads) <= 3


async def test_hints_of_another_database_are_ignored(broker: Lossy) -> None:
    record = await made()
    screen = await watching(record)
    topic = DeliveryFeed.topic(record.pk)
    forged = Update(topic, 2, {"sender_id": record.sender_id, "status": "forged"}, ("status",), "")
    await eventually(lambda: Hub.current()._ear._confirmed.is_set())
    await broker.publish(0, seal(Hints("another epoch", [forged]), brokers.key()))
    await save(record, status="moving")
    await eventually(lambda: screen.versions() == [1, 2])
    assert screen.frames[-1]["status"] == "moving"


async def test_hints_signed_with_a_key_that_is_being_replaced_are_taken(broker: Lossy, settings: Settings) -> None:
    settings.SECRET_KEY_FALLBACKS = ["the key of a process that has not been restarted yet"]
    record = await made()
    screen = await watching(record)
    ear = Hub.current()._ear
    await eventually(lambda: ear._confirmed.is_set() and bool(ear._epoch) and screen.versions() == [1])
    state = {"sender_id": record.sender_id, "status": "told by the other process"}
    update = Update(DeliveryFeed.topic(record.pk), 2, state, ("status",), "")
    await broker.publish(0, seal(Hints(ear._epoch, [update]), brokers.keys()[1]))
    await eventually(lambda: screen.frames[-1]["status"] == "told by the other process")


async def test_a_foreign_hint_repeats_the_true_state_with_its_message_only(broker: Lossy) -> None:
    record = await made()
    screen = await watching(record)
    await eventually(lambda: screen.versions() == [1])
    Hub.current().hinted("delivery", str(record.pk), "look at this")
    await eventually(lambda: len(screen.frames) == 2)
    assert screen.frames[1]["message"] == "look at this"
    assert not {"version", "changed", "prev"} & set(screen.frames[1])
    for feed_name, key in [("parcel", "1"), ("delivery", "no key"), ("delivery", "")]:
        Hub.current().hinted(feed_name, key, "nobody")


async def test_the_hub_ends_with_its_last_socket_and_starts_again(broker: Lossy) -> None:
    record = await made()
    for _ in range(2):
        screen = await watching(record)
        assert Hub.current()._reader is not None
        Hub.current().leave(screen.member)
        await eventually(lambda: Hub.current()._reader is None and not broker._listeners)
