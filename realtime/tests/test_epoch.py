"""After a restore the history is another: ``realtime_rotate_epoch``, and what hubs and resting sockets do then."""

import builtins
from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from pytest_django import Settings

from realtime import brokers, log
from realtime.brokers.memory import MemoryBroker
from realtime.hub import Hub
from realtime.metrics import heard
from realtime.models import Epoch, Event, Stream
from realtime.protocol.codec import Hints, seal
from realtime.protocol.frames import Update
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.people import delivery
from realtime.tests.screens import Screen, eventually, save, watching

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]


@pytest.fixture
async def broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemoryBroker]:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 0.1, "LINGER_SECONDS": 0.0}
    memory = MemoryBroker()
    monkeypatch.setattr(brokers, "current", lambda: memory)
    yield memory
    Hub.current().end()
    await eventually(lambda: not Hub.current().tasks)


def rotate(*arguments: str) -> str:
    """Return what the command prints."""
    said = StringIO()
    call_command("realtime_rotate_epoch", *arguments, stdout=said)
    return said.getvalue()


def test_the_command_says_what_it_will_do_and_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    before = log.epoch()
    monkeypatch.setattr(builtins, "input", lambda _: "no")
    with pytest.raises(CommandError, match="Nothing was changed"):
        rotate()
    assert log.epoch() == before
    said = rotate("--yes")
    assert log.epoch() != before
    assert f"in place of {before}" in said
    assert f"The epoch is {log.epoch()}." in said


def test_positions_go_on() -> None:
    delivery()
    log.settle(limit=10)
    before = Epoch.objects.get()
    rotate("--yes")
    assert Epoch.objects.get().pos == before.pos
    delivery()
    log.settle(limit=10)
    assert not Event.objects.filter(pos=None).exists()


@sync_to_async
def as_of_version_1(record: Any) -> None:
    """Put the log and the record back to where they were."""
    topic = DeliveryFeed.topic(record.pk)
    first = Event.objects.get(topic=topic, version=1)
    type(record).objects.filter(pk=record.pk).update(status="waiting")
    Event.objects.filter(topic=topic, version__gt=1).delete()
    Stream.objects.filter(topic=topic).update(version=1, state=first.state)


async def test_a_socket_that_holds_more_than_the_database_has_starts_afresh(broker: MemoryBroker) -> None:
    record = await sync_to_async(delivery)()
    screen = await watching(record)
    for status in ("packed", "moving", "there"):
        await save(record, status=status)
    await eventually(lambda: screen.versions()[-1] == 4)
    await as_of_version_1(record)
    await sync_to_async(rotate)("--yes")
    await eventually(lambda: screen.code == 4012)
    again = await watching(record)
    await eventually(lambda: again.versions() == [1])
    assert (again.frames[0]["status"], again.frames[0]["prev"]) == ("waiting", None)
    await save(record, status="lost")
    await eventually(lambda: again.versions() == [1, 2])
    assert again.code is None, "once"


async def test_a_hub_that_starts_after_the_rotation_ends_nobody(broker: MemoryBroker) -> None:
    record = await sync_to_async(delivery)()
    first = await watching(record)
    await eventually(lambda: first.versions() == [1])
    Hub.current().end()
    await eventually(lambda: not Hub.current().tasks)
    await sync_to_async(rotate)("--yes")
    second = await watching(record)
    await save(record, status="moving")
    await eventually(lambda: second.versions() == [1, 2])
    assert second.code is None


async def test_hints_of_the_old_epoch_are_ignored(broker: MemoryBroker) -> None:
    record = await sync_to_async(delivery)()
    old = await sync_to_async(log.epoch)()
    await sync_to_async(rotate)("--yes")
    screen: Screen = await watching(record)
    await eventually(lambda: Hub.current()._ear._confirmed.is_set())
    before = heard.labels("other epoch")._value.get()
    topic = DeliveryFeed.topic(record.pk)
    stale = Update(topic, 2, {"sender_id": record.sender_id, "status": "of another history"}, ("status",), "")
    await broker.publish(brokers.group_of(topic), seal(Hints(old, [stale]), brokers.key()))
    await eventually(lambda: heard.labels("other epoch")._value.get() == before + 1)
    await save(record, status="moving")
    await eventually(lambda: screen.versions() == [1, 2])
    assert [frame["status"] for frame in screen.frames] == ["waiting", "moving"]
