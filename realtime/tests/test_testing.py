"""The help for other suites keeps its own promises. That pages and fixtures work is shown by the how-to's test."""

import os
import subprocess
import sys
from itertools import count
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from django.conf import settings as given
from django.db import transaction
from pytest_django import Settings

from realtime.hub import Hub
from realtime.models import Stream
from realtime.testing import Faults, assert_in_step, committed, connect_as, events_of, frames_of
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user

pytestmark = pytest.mark.older_long


@sync_to_async
def made() -> Delivery:
    return delivery()


@sync_to_async
def moved(record: Delivery, status: str) -> None:
    record.status = status
    record.save()


def path_of(record: Delivery) -> str:
    return f"/ws/deliveries/{record.pk}/"


def test_nothing_but_the_plugin_needs_pytest() -> None:
    code = "import sys, realtime.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.django_db
def test_a_stranger_is_shown_no_frame() -> None:
    with committed():
        record = delivery()
    stranger = user()
    assert frames_of(record, stranger) == []
    assert_in_step(record, stranger, record.sender, record.courier)


@pytest.mark.django_db
def test_each_committed_block_is_a_version() -> None:
    with committed():
        record = delivery()
    for status in ("packed", "moving", "packed"):
        with committed():
            record.status = "on the way"
            record.save()
            record.status = status
            record.save()
    assert [event.version for event in events_of(record)] == [1, 2, 3, 4]
    assert [frame["status"] for frame in frames_of(record, record.sender)] == ["waiting", "packed", "moving", "packed"]
    assert [frame["price"] for frame in frames_of(record, record.courier)] == [None] * 4


@pytest.mark.django_db
def test_a_committed_block_does_its_on_commit_work() -> None:
    done: list[str] = []
    with committed() as callbacks:
        transaction.on_commit(lambda: done.append("done"))
        assert done == []
    assert done == ["done"]
    assert len(callbacks) == 1


@pytest.mark.django_db
def test_what_was_deleted_is_asked_by_its_topic() -> None:
    with committed():
        record = delivery()
    topic = DeliveryFeed.topic(record.pk)
    with committed():
        record.delete()
    assert [event.state is None for event in events_of(topic)] == [False, True]
    assert_in_step(topic, record.sender)


@pytest.mark.django_db
def test_a_write_that_escaped_is_named_with_the_field_and_the_viewer() -> None:
    with committed():
        record = delivery()
    stream = Stream.objects.get(topic=DeliveryFeed.topic(record.pk))
    Stream.objects.filter(pk=stream.pk).update(state={**(stream.state or {}), "price": "9.99"})
    assert_in_step(record, record.courier)  # he does not see prices
    with pytest.raises(AssertionError, match=r"price: shown '9.99', the row has '10.00'"):
        assert_in_step(record, record.sender)


@pytest.mark.django_db(transaction=True)
async def test_a_wait_in_vain_says_what_was_seen_and_leaves_no_hub(memory_bus: None) -> None:
    record = await made()
    with pytest.raises(AssertionError) as failure:
        async with connect_as(record.sender, path_of(record), patience=0.5) as socket:
            await socket.until(status="never")
    assert "waited for status='never', nothing more came; 1 frames" in str(failure.value)
    assert '"status": "waiting"' in str(failure.value)
    assert Hub.current()._reader is None


@pytest.mark.django_db(transaction=True)
async def test_a_closed_socket_says_so(memory_bus: None) -> None:
    record = await made()
    async with connect_as(None, path_of(record)) as nobody:
        with pytest.raises(AssertionError, match="closed with 4401"):
            await nobody.next()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lossy_bus", range(3), indirect=True)
async def test_a_lossy_broker_changes_nothing_that_is_seen(lossy_bus: Faults) -> None:
    await shown_in_order(lossy_bus)


@pytest.mark.skipif("not os.environ.get('REDIS_URL')", reason="no Valkey on this platform")
@pytest.mark.django_db(transaction=True)
async def test_a_lossy_layer_changes_nothing_that_is_seen(settings: Settings) -> None:
    config = {"hosts": [os.environ["REDIS_URL"]], "prefix": os.environ["CHANNEL_PREFIX"]}
    layer = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": config}
    lossy = {"BACKEND": "realtime.testing.LossyChannelLayer", "CONFIG": {"layer": layer, "seed": 2, "drops": 0.4}}
    settings.CHANNEL_LAYERS = {"default": lossy}
    broker = "realtime.brokers.channel_layer.ChannelLayerBroker"
    settings.REALTIME = {**given.REALTIME, "BROKER": broker, "REPAIR_SECONDS": 0.1}
    channel_layers.backends.clear()
    made_layer: Any = channel_layers["default"]
    await shown_in_order(made_layer.faults)


async def shown_in_order(faults: Faults) -> None:
    """Write until each fault has happened; the viewer has every version in its order."""
    record = await made()
    async with connect_as(record.sender, path_of(record)) as socket:
        await socket.next()
        for number in count(2):
            await moved(record, f"stop {number}")
            if number > 20 and faults.count.keys() == {"dropped", "doubled", "swapped"}:
                break
            assert number < 400, faults.count
        await socket.in_step(record)
    assert [frame["version"] for frame in socket.frames] == list(range(1, number + 1))
