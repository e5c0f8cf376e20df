"""The hub of one loop: joins, lost hints, lost rights, slow readers, one read for many."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from realtime import brokers, log, relay
from realtime.brokers.memory import MemoryBroker
from realtime.feeds import Viewer
from realtime.hub import Hub
from realtime.member import Member
from realtime.models import Event
from realtime.protocol.closing import Close
from realtime.protocol.codec import Hints, seal
from realtime.protocol.frames import Update
from realtime.protocol.session import Send
from realtime.protocol.subscriptions import Record
from realtime.speaker import Speaker
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older]


class Lossy(MemoryBroker):
    """Loses every hint while ``loses`` is set; nonces pass. Takes nothing and says nothing while it ``hangs``."""

    loses = False
    hangs = False

    async def publish(self, group: int, body: str) -> None:
        while self.hangs:
            await asyncio.sleep(0.01)
        if not (self.loses and '"type":"hints"' in body):
            await super().publish(group, body)


class Screen:
    """A viewer's sink; writing waits while ``stalled`` is set."""

    def __init__(self, viewer: Viewer) -> None:
        self.member: Member = Member(viewer, self, DeliveryFeed)
        self.frames: list[dict[str, Any]] = []
        self.code: int | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, text: str) -> None:
        await self.open.wait()
        self.frames.append(json.loads(text))

    async def close(self, code: int) -> None:
        self.code = int(code)

    def versions(self) -> list[int]:
        return [frame["version"] for frame in self.frames]


@pytest.fixture
async def broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lossy]:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 0.1, "LINGER_SECONDS": 0.0}
    lossy = Lossy()
    monkeypatch.setattr(brokers, "current", lambda: lossy)
    yield lossy
    Hub.current().end()
    await eventually(lambda: not Hub.current().tasks)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@sync_to_async
def made() -> Delivery:
    return delivery()


@sync_to_async
def save(record: Delivery, **values: Any) -> None:
    for name, value in values.items():
        setattr(record, name, value)
    record.save()


async def watching(record: Delivery, *, as_: str = "sender", snapshot: bool = True) -> Screen:
    screen = Screen(Viewer(getattr(record, f"{as_}_id")))
    assert await Hub.current().join(screen.member, DeliveryFeed.topic(record.pk), snapshot=snapshot)
    return screen


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


async def test_what_waits_is_not_written_to_who_is_not_there_any_more(broker: Lossy) -> None:
    record = await made()
    screen = await watching(record)
    await eventually(lambda: screen.versions() == [1])
    screen.open.clear()
    for status in ("packed", "moving", "there"):
        await save(record, status=status)
    await eventually(lambda: screen.member.session.sent(DeliveryFeed.topic(record.pk)) == 4)
    screen.member.end_at_once(Close.SESSION_ENDED)
    screen.open.set()
    await eventually(lambda: screen.code == 4405)
    assert screen.versions() == [1, 2], "only what was being written already"


async def test_without_a_snapshot_the_next_version_is_first(broker: Lossy) -> None:
    record = await made()
    screen = await watching(record, snapshot=False)
    await save(record, status="moving")
    await eventually(lambda: screen.versions() == [2])
    assert "prev" not in screen.frames[0]


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


async def test_a_stalled_reader_stops_nobody_and_ends_at_the_newest(broker: Lossy, settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "PENDING_FRAMES": 4}
    record = await made()
    stalled, quick = await watching(record), await watching(record)
    await eventually(lambda: stalled.versions() == [1])
    stalled.open.clear()
    newest = 1
    while not stalled.member._outbox.superseded:
        newest += 1
        await save(record, status=f"stop {newest}")
        await eventually(lambda version=newest: quick.versions()[-1] == version)  # type: ignore[misc]
        assert newest < 500, "a stalled reader's states never give way"
    assert quick.versions() == list(range(1, newest + 1))
    assert len(stalled.member._outbox) <= 4
    stalled.open.set()
    await eventually(lambda: stalled.versions()[-1] == newest)
    had = 1
    for frame in stalled.frames[1:]:
        assert frame.get("prev", frame["version"] - 1) == had
        had = frame["version"]
    assert len(stalled.frames) < newest


async def test_what_waits_is_bounded_in_bytes_too(broker: Lossy, settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "PENDING_FRAMES": 10_000, "PENDING_BYTES": 4000}
    record = await made()
    stalled, whole = await watching(record), Screen(Viewer(record.sender_id))
    whole.member = speaker = Speaker(whole.member.viewer, whole, DeliveryFeed)
    speaker.subscriptions.add_record(Record("all", DeliveryFeed.topic(record.pk), True))
    assert await Hub.current().join(whole.member, DeliveryFeed.topic(record.pk))
    await eventually(lambda: stalled.versions() == whole.versions() == [1])
    stalled.open.clear()
    whole.open.clear()
    newest = 1
    while not (stalled.member._outbox.superseded and whole.code):
        newest += 1
        await save(record, status=f"stop {newest}")
        await asyncio.to_thread(relay.rest, 20)
        assert newest < 500, "states of more than 4000 bytes wait"
    assert whole.code == Close.TOO_SLOW, "no version may be left out for who asked for all"
    stalled.open.set()
    await eventually(lambda: stalled.versions()[-1] == newest)
    assert stalled.code is None
    assert len(stalled.frames) < newest


async def test_a_burst_is_nobodys_slowness(broker: Lossy) -> None:
    viewer = Viewer(7)
    reader, stalled = Screen(viewer), Screen(viewer)
    states = [
        Update(DeliveryFeed.topic(uuid4()), 2, {"sender_id": 7, "courier_id": None, "status": "x" * 900}, (), "")
        for _ in range(500)
    ]
    stalled.open.clear()
    stalled.member.push(Send(states[0], 1))
    await eventually(lambda: stalled.member._write_began is not None)
    for screen in (reader, stalled):
        for state in states:
            screen.member.push(Send(state, 1))  # at once: no writer has a turn between
    await eventually(lambda: len(reader.frames) == 500)
    await eventually(lambda: stalled.code == Close.TOO_SLOW)
    assert reader.code is None, "nobody waited for his reader"


async def test_a_burst_leaves_nothing_out_for_who_keeps_up(broker: Lossy, settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "PENDING_FRAMES": 4}
    record = await made()
    screen = await watching(record)
    await eventually(lambda: screen.versions() == [1])
    broker.loses = True
    for number in range(30):
        await save(record, status=f"stop {number}")
    await eventually(lambda: screen.versions() == list(range(1, 32)))


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
