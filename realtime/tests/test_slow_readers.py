"""What waits for a reader is bounded; nobody waits for another's."""

import asyncio
from uuid import uuid4

import pytest
from pytest_django import Settings

from realtime import relay
from realtime.feeds import Viewer
from realtime.hub import Hub
from realtime.protocol.closing import Close
from realtime.protocol.frames import Update
from realtime.protocol.session import Send
from realtime.protocol.subscriptions import Record
from realtime.speaker import Speaker
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.screens import Lossy, Screen, eventually, made, save, watching

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older]


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
