"""Sockets come and go one by one: the hub lingers for the last of them, and ends each listener once."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.layers import get_channel_layer
from pytest_django import Settings

from realtime import brokers
from realtime.brokers.base import Heard, Hinted
from realtime.brokers.memory import MemoryBroker
from realtime.hub import Hub
from realtime.metrics import bus_alive
from realtime.tests.screens import eventually
from realtime.tests.test_brokers import use_layer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older]


class Reluctant(MemoryBroker):
    """Its listeners leave when they are cancelled, and not before ``may_leave`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.listeners: list[asyncio.Task[None]] = []
        self.may_leave = asyncio.Event()

    async def listen(self, heard: Heard, hinted: Hinted) -> None:
        listener = asyncio.current_task()
        assert listener is not None
        self.listeners.append(listener)
        try:
            await super().listen(heard, hinted)
        finally:
            await self.may_leave.wait()

    def cancelled(self) -> list[int]:
        """Return how often each listener was cancelled."""
        return [listener.cancelling() for listener in self.listeners]


@pytest.fixture
async def reluctant(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reluctant]:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 0.1, "LINGER_SECONDS": 0.0}
    broker = Reluctant()
    monkeypatch.setattr(brokers, "current", lambda: broker)
    yield broker
    broker.may_leave.set()
    Hub.current().end()
    await eventually(lambda: not Hub.current().tasks)


async def visited(broker: Reluctant, visitors: int) -> None:
    """Let somebody come until he is listened for, and go until the hub has ended."""
    hub = Hub.current()
    with hub.visit():
        await eventually(lambda: len(broker.listeners) == visitors)
    await eventually(lambda: hub.reader is None)


async def test_a_listener_that_takes_its_time_to_leave_is_cancelled_once(reluctant: Reluctant) -> None:
    for visitors in (1, 2, 3):
        await visited(reluctant, visitors)
    assert reluctant.cancelled() == [1, 1, 1]
    reluctant.may_leave.set()
    await eventually(lambda: not Hub.current().tasks)
    assert reluctant.cancelled() == [1, 1, 1]


async def test_a_listener_that_leaves_late_does_not_end_the_next(reluctant: Reluctant) -> None:
    others = asyncio.all_tasks()
    hub = Hub.current()
    with hub.visit():
        await eventually(lambda: len(reluctant.listeners) == 1)
        first = asyncio.all_tasks() - others
    await eventually(lambda: hub.reader is None)
    with hub.visit():
        await eventually(lambda: len(reluctant.listeners) == 2)
        reluctant.may_leave.set()
        _, left = await asyncio.wait(first, timeout=20)
        assert not left
        assert reluctant.cancelled() == [1, 0]


async def test_the_hub_lingers_for_the_last_who_left(reluctant: Reluctant, settings: Settings) -> None:
    hub = Hub.current()
    settings.REALTIME = {**settings.REALTIME, "LINGER_SECONDS": 0.01}
    with hub.visit() as reader:
        pass
    settings.REALTIME = {**settings.REALTIME, "LINGER_SECONDS": 1000.0}
    with hub.visit():
        pass
    await asyncio.sleep(0.02)  # timers of a loop go off in their order: the first one's would have
    assert hub.reader is reader


@pytest.fixture(params=["pubsub.RedisPubSubChannelLayer", "core.RedisChannelLayer"])
async def layer(request: pytest.FixtureRequest, settings: Settings, valkey: Any) -> AsyncIterator[Any]:
    """A channel layer over a Valkey of its own, which ends before the loop does."""
    use_layer(settings, f"channels_redis.{request.param}", valkey.url)
    found: Any = get_channel_layer()
    yield found
    valkey.resume()
    await found.flush()


async def test_a_layer_that_unsubscribes_slowly_is_left_in_peace(
    layer: Any, settings: Settings, valkey: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What is sent waits for its answer, and who unsubscribes waits behind it: meanwhile somebody comes and goes."""
    broker = "realtime.brokers.channel_layer.ChannelLayerBroker"
    more = {"BROKER": broker, "BROKER_TIMEOUT": 60.0, "REPAIR_SECONDS": 0.1, "LINGER_SECONDS": 0.0}
    settings.REALTIME = {**settings.REALTIME, **more}
    hub = Hub.current()
    bus_alive.set(0)
    with hub.visit():
        await eventually(lambda: bus_alive._value.get() == 1)
        valkey.pause()
        sending = asyncio.create_task(brokers.current().publish(0, "nobody takes this yet"))
        await asyncio.sleep(0)  # its turn: it holds the layer now, or stands behind a nonce that does
    for _ in range(2):
        await eventually(lambda: hub.reader is None)
        with hub.visit():
            pass
    await eventually(lambda: hub.reader is None)
    valkey.resume()
    await asyncio.wait_for(sending, 30)
    await eventually(lambda: not hub.tasks)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
