"""One contract, every broker: what a bus between processes promises, and what it may not do."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from channels.layers import channel_layers
from pytest_django import Settings
from redis import Redis

from realtime.brokers.base import GROUPS, Broker, BrokerError
from realtime.brokers.channel_layer import ChannelLayerBroker
from realtime.brokers.memory import MemoryBroker

pytestmark = [pytest.mark.older]


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.hinted: list[tuple[str, str, str]] = []

    async def until(self, broker: Broker, body: str, group: int = GROUPS - 1) -> None:
        """Publish ``body`` until it is heard: a bus may lose, above all while a subscription is under way."""
        async with asyncio.timeout(20):
            while body not in self.heard:
                await broker.publish(group, body)
                await asyncio.sleep(0.02)

    async def until_hinted(self, broker: Broker, key: str) -> None:
        """Hint at the order of that key until it is heard."""
        async with asyncio.timeout(20):
            while ("order", key, "look") not in self.hinted:
                await broker.hint("order", key, "look")
                await asyncio.sleep(0.02)


@asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[Listener]:
    listener = Listener()
    task = asyncio.create_task(broker.listen(listener.heard.append, lambda *hint: listener.hinted.append(hint)))
    try:
        await listener.until(broker, "first")
        yield listener
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def eventually(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


class BrokerContract:
    """Subclass it with a fixture ``broker``."""

    async def test_every_group_is_heard(self, broker: Broker) -> None:
        async with listening(broker) as listener:
            for group in range(GROUPS):
                await broker.publish(group, f"group {group}")
            await eventually(lambda: {f"group {group}" for group in range(GROUPS)} <= set(listener.heard))

    async def test_another_thread_is_heard(self, broker: Broker) -> None:
        """The relay publishes from its own thread and loop."""
        async with listening(broker) as listener:
            thread = threading.Thread(target=lambda: asyncio.run(broker.publish(3, "from a thread")))
            thread.start()
            await eventually(lambda: "from a thread" in listener.heard)
            thread.join()

    async def test_a_followed_record_is_hinted(self, broker: Broker) -> None:
        async with listening(broker) as listener:
            await broker.follow("order", "7")
            await listener.until_hinted(broker, "7")
            await broker.unfollow("order", "7")
            await listener.until(broker, "unfollowed")
            before = len(listener.hinted)
            await broker.hint("order", "7", "look")
            await listener.until(broker, "after the hint")
            assert len(listener.hinted) <= before + 1

    async def test_listening_again_hears_again(self, broker: Broker) -> None:
        for _ in range(3):
            async with listening(broker) as listener:
                await listener.until(broker, "again")

    async def test_who_leaves_late_takes_nothing_from_who_listens_since(self, broker: Broker) -> None:
        async with AsyncExitStack() as late:
            await late.enter_async_context(listening(broker))
            async with listening(broker) as listener:
                await late.aclose()
                await broker.follow("order", "8")
                await listener.until_hinted(broker, "8")
                await listener.until(broker, "still")
                await broker.unfollow("order", "8")


class TestMemory(BrokerContract):
    @pytest.fixture
    def broker(self) -> Broker:
        return MemoryBroker()


def use_layer(settings: Settings, backend: str, url: str) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": backend,
            "CONFIG": {"hosts": [{"address": url, "socket_timeout": None}], "prefix": os.environ["CHANNEL_PREFIX"]},
        }
    }
    channel_layers.backends.clear()


@pytest.mark.skipif("not os.environ.get('REDIS_URL')", reason="no Valkey on this platform")
class TestPubSubLayer(BrokerContract):
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"

    @pytest.fixture
    def broker(self, settings: Settings) -> Broker:
        use_layer(settings, self.backend, os.environ["REDIS_URL"])
        return ChannelLayerBroker()

    async def test_a_layer_that_hangs_is_an_error_in_time(self, settings: Settings, valkey: Any) -> None:
        use_layer(settings, self.backend, valkey.url)
        broker = ChannelLayerBroker()
        await broker.publish(0, "warm")
        valkey.pause()
        with pytest.raises(BrokerError):
            async with asyncio.timeout(20):
                await broker.publish(0, "nobody takes this")
        valkey.resume()
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(BrokerError):
                    await broker.publish(0, "taken again")
                    break

    async def test_what_was_followed_is_left_with_the_rest(self, broker: Broker) -> None:
        """A bus that is lost and found again is joined under another name: the groups would grow with each loss."""
        client = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
        name = f"{os.environ['CHANNEL_PREFIX']}*order_9"

        def groups() -> list[Any]:
            return [*client.pubsub_channels(name), *client.keys(name)]

        async with listening(broker) as listener:
            await broker.follow("order", "9")
            await listener.until_hinted(broker, "9")
            assert groups()
        assert groups() == []
        client.close()

    async def test_a_layer_that_is_gone_is_an_error(self, settings: Settings, valkey: Any) -> None:
        use_layer(settings, self.backend, valkey.url)
        valkey.stop()
        with pytest.raises(BrokerError):
            await ChannelLayerBroker().publish(0, "nobody takes this")


class TestCoreLayer(TestPubSubLayer):
    backend = "channels_redis.core.RedisChannelLayer"
