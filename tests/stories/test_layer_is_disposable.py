"""The layer may vanish, hang, forget, double and lie: viewers get every version, in order (I9)."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.test import override_settings

from realtime import brokers
from realtime.brokers.channel_layer import ChannelLayerBroker
from realtime.protocol.codec import Beat, Hints, seal
from realtime.protocol.frames import Update
from tests.bus import carried, hint, versions
from tests.disposable import House, head_of, housed, write
from tests.people import Cast, cast
from tests.server import state_of, unbroken

VIEWERS = ("client", "booster", "manager")


@pytest.fixture(scope="module")
def house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with housed(tmp_path_factory.mktemp("server")) as found:
        yield found


async def nothing_to_mend(house: House) -> None:
    pass


async def start(house: House) -> None:
    house.valkey.start()


async def stop(house: House) -> None:
    house.valkey.stop()


async def pause(house: House) -> None:
    house.valkey.pause()


async def resume(house: House) -> None:
    house.valkey.resume()


async def flush(house: House) -> None:
    house.command("FLUSHALL")


async def kill_subscribers(house: House) -> None:
    assert house.command("CLIENT", "KILL", "TYPE", "pubsub") >= 1


async def restart(house: House) -> None:
    house.valkey.stop(9)
    house.valkey.start()


TROUBLES: list[tuple[Callable[[House], Awaitable[None]], Callable[[House], Awaitable[None]]]] = [
    (stop, start),
    (pause, resume),
    (flush, nothing_to_mend),
    (kill_subscribers, nothing_to_mend),
    (restart, nothing_to_mend),
]


@pytest.mark.parametrize(("trouble", "mend"), TROUBLES, ids=[trouble.__name__ for trouble, _ in TROUBLES])
async def test_every_version_arrives_in_order_whatever_happens_to_the_layer(
    house: House, trouble: Callable[[House], Awaitable[None]], mend: Callable[[House], Awaitable[None]]
) -> None:
    people = await sync_to_async(cast)()
    path = f"/ws/orders/{people.order.pk}/"
    async with AsyncExitStack() as stack:
        watches = [await stack.enter_async_context(house.server.watch(path, getattr(people, name))) for name in VIEWERS]
        for watch in watches:
            await watch.next()
            await carried(watch, people.order.pk)
        await write(people, "before")
        await trouble(house)
        try:
            await write(people, *(f"during {number}" for number in range(5)))
            during = await head_of(people)
            for watch in watches:
                assert (await watch.until(during))["version"] == during
            # Who comes while it lasts is served as well.
            async with house.server.watch(path, people.admin) as late:
                assert (await late.next())["version"] == during
        finally:
            await mend(house)
        await write(people, *(f"after {number}" for number in range(5)))
        after = await head_of(people)
        for watch in watches:
            await watch.until(after)
            await carried(watch, people.order.pk)
            unbroken(versions(watch))
            async with house.server.watch(path, getattr(people, VIEWERS[watches.index(watch)])) as fresh:
                assert state_of(await fresh.next()) == state_of(versions(watch)[-1])


async def put(group: int, message: Any) -> None:
    layer = get_channel_layer()
    assert layer is not None
    await layer.group_send(f"realtime.bus.{group}", message)


@sync_to_async
def genuine(people: Cast) -> tuple[str, list[Update]]:
    from realtime import log

    topic = f"order.{people.order.pk}"
    return log.epoch(), log.missed({topic: 0}, limit=1000)[topic]


async def test_what_is_forged_doubled_or_from_elsewhere_is_never_shown(house: House) -> None:
    people = await sync_to_async(cast)()
    topic = f"order.{people.order.pk}"
    group, key = brokers.group_of(topic), brokers.key()
    async with house.server.watch(f"/ws/orders/{people.order.pk}/", people.manager) as watch:
        first = await watch.next()
        await carried(watch, people.order.pk)
        await write(people, "one", "two", "three")
        await watch.until(first["version"] + 3)
        epoch, history = await genuine(people)
        head = history[-1].version
        lie = {**(history[-1].state or {}), "status": "Done", "progress": 100, "actual_price": "0.01", "note": "a lie"}

        def lies(version: int) -> list[Update]:
            return [Update(topic, version, lie, ("note",), history[-1].at, None)]

        bodies = [
            *(seal(Hints(epoch, lies(head + ahead)), b"another key") for ahead in (0, 1, 2, 2**62)),
            *(seal(Hints("another epoch", lies(head + ahead)), key) for ahead in (1, 2, 2**62)),
            # Signed by us, and still not what the database has: a gap is closed by reading.
            *(seal(Hints(epoch, lies(version)), key) for version in (-1, 0, 1, head, head + 2, 2**62)),
            seal(Hints(epoch, [Update(topic, head + 5, None, (), "")]), key),
            seal(Hints(epoch, list(reversed(history)) * 3), key),
            seal(Beat("somebody else's"), key),
            seal(Hints(epoch, lies(head + 1)), key)[:-1],
            "",
            "0" * 64,
            "ü" * 64 + "{}",
        ]
        for body in bodies:
            await put(group, {"type": "realtime.bus", "body": body})
        for message in ({"type": "realtime.bus"}, {"type": "realtime.bus", "body": 7}, {"type": 7}, {}, [], "text", 7):
            await put(group, message)
        await hint(people.order.pk, "", version=2**62, status="Done", progress=100, note="a lie", state=lie)
        await carried(watch, people.order.pk)
        assert await head_of(people) == head
        await write(people, "four")
        assert (await watch.until(head + 1))["note"] == "four"
        await carried(watch, people.order.pk)
        assert [frame["version"] for frame in versions(watch)] == list(range(first["version"], head + 2))
        assert not any(frame["note"] == "a lie" or frame["status"] == "Done" for frame in watch.frames)
        unbroken(versions(watch))


async def test_noise_on_the_engine_itself_is_survived(house: House) -> None:
    people = await sync_to_async(cast)()
    async with house.server.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        first = await watch.next()
        await carried(watch, people.order.pk)
        channels = house.command("PUBSUB", "CHANNELS")
        assert len(channels) > brokers.base.GROUPS
        with redis.Redis.from_url(house.valkey.url) as client:
            for channel in channels:
                for noise in (b"", b"\xc1", b"\xff" * 1000, b"{}", b"\xa1\xed\xa0\x80"):
                    client.publish(channel, noise)
        await write(people, "through the noise")
        assert (await watch.until(first["version"] + 1))["note"] == "through the noise"
        await carried(watch, people.order.pk)
        unbroken(versions(watch))


class Unreliable(ChannelLayerBroker):
    """Loses, doubles and delays one message in five each."""

    dice = random.Random(5)
    late: tuple[int, str] | None = None
    counts = {"lost": 0, "doubled": 0, "late": 0}

    async def publish(self, group: int, body: str) -> None:
        fate = self.dice.random()
        if fate < 0.2:
            self.counts["lost"] += 1
            return
        if fate < 0.4 and self.late is None:
            self.counts["late"] += 1
            self.late = (group, body)
            return
        await super().publish(group, body)
        if fate > 0.8:
            self.counts["doubled"] += 1
            await super().publish(group, body)
        if self.late is not None:
            late, self.late = self.late, None
            await super().publish(*late)


async def test_hints_that_are_lost_doubled_and_late_cost_nothing(house: House) -> None:
    people = await sync_to_async(cast)()
    async with AsyncExitStack() as stack:
        path = f"/ws/orders/{people.order.pk}/"
        watches = [await stack.enter_async_context(house.server.watch(path, getattr(people, name))) for name in VIEWERS]
        for watch in watches:
            await watch.next()
            await carried(watch, people.order.pk)
        unreliable = f"{__name__}.{Unreliable.__name__}"
        with override_settings(REALTIME=settings.REALTIME | {"BROKER": unreliable}):
            for number in range(100):
                await write(people, f"note {number}")
                await asyncio.sleep(0)
            head = await head_of(people)
            for watch in watches:
                await watch.until(head)
                unbroken(versions(watch))
                assert watch.frames[-1]["note"] == "note 99"
        assert all(Unreliable.counts.values()), Unreliable.counts
