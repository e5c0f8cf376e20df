"""The layer may vanish, hang, forget, double and lie: viewers get every version, writers do not notice (I9, I10)."""

import asyncio
import random
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from django.test import override_settings

from gameBoosterss.development.engines import Valkey
from orders.models import BaseOrder
from orders.services import order_write_note
from realtime import brokers, relay
from realtime.brokers.channel_layer import ChannelLayerBroker
from realtime.models import Event
from realtime.protocol.codec import Beat, Hints, seal
from realtime.protocol.frames import Update
from realtime.signals import send_order_update_to_group
from tests.bus import carried, hint, versions
from tests.engines import child_environment, own_valkey
from tests.people import Cast, cast
from tests.server import PATIENCE, Server, running, state_of, unbroken
from tests.threads import in_a_thread

VIEWERS = ("client", "booster", "manager")


@dataclass
class House:
    """A server and the test's own process on a Valkey that may be ill-treated."""

    server: Server
    valkey: Valkey

    def command(self, *words: str) -> Any:
        with redis.Redis.from_url(self.valkey.url) as client:
            return client.execute_command(*words)


@pytest.fixture(scope="module")
def house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("server")
    with own_valkey() as valkey:
        layers = {"default": dict(settings.CHANNEL_LAYERS["default"])}
        layers["default"]["CONFIG"] = layers["default"]["CONFIG"] | {"hosts": [valkey.url]}
        with (
            override_settings(CHANNEL_LAYERS=layers),
            running(folder, child_environment() | {"REDIS_URL": valkey.url}) as server,
        ):
            yield House(server, valkey)
            if not valkey.running:
                valkey.start()


def written(people: Cast, text: str) -> None:
    order_write_note(order_id=people.order.pk, note=text, by=people.client)


async def write(people: Cast, *texts: str) -> None:
    for text in texts:
        await sync_to_async(written)(people, text)


@sync_to_async
def head_of(people: Cast) -> int:
    return Event.objects.filter(topic=f"order.{people.order.pk}").latest("version").version


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


class Touched(Exception):
    """The network was used where it must not be."""


@pytest.fixture
def traffic(monkeypatch: pytest.MonkeyPatch) -> "Traffic":
    return Traffic(monkeypatch)


class Traffic:
    """What leaves through Python's sockets, which the layer's client uses and the database driver does not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[bytes] = []
        self.touched: list[str] = []
        self.saving = False
        self.saved = threading.Event()
        self.relay_waited: list[bool] = []
        for name in ("connect", "connect_ex", "send", "sendall", "sendmsg", "recv", "recv_into"):
            monkeypatch.setattr(socket.socket, name, self._watched(name), raising=False)

    def _watched(self, name: str) -> Callable[..., Any]:
        original = getattr(socket.socket, name)

        def call(connection: socket.socket, *args: Any) -> Any:
            # A pair of local sockets is how an event loop wakes itself.
            if connection.family != socket.AF_UNIX:
                if self.saving:
                    self._judge(name)
                if name.startswith("send"):
                    self.sent.append(bytes(args[0]) if name != "sendmsg" else b"".join(args[0]))
            return original(connection, *args)

        return call

    def _judge(self, name: str) -> None:
        """Let the relay's thread wait until the saving is done; let nobody else through, ``async_to_sync`` included."""
        if threading.current_thread().name != "realtime-relay":
            self.touched.append(name)
            raise Touched(name)
        self.relay_waited.append(self.saved.wait(PATIENCE))

    def said(self, words: str) -> bool:
        return any(words.encode() in data for data in self.sent)

    def hears(self, words: str, timeout: float) -> bool:
        until = time.monotonic() + timeout
        while not self.said(words) and time.monotonic() < until:
            time.sleep(0.01)
        return self.said(words)


@pytest.mark.parametrize("state", ["up", "paused", "stopped"])
def test_a_writer_neither_talks_to_the_layer_nor_waits_for_who_does(house: House, traffic: Traffic, state: str) -> None:
    people = cast()
    {"up": lambda: None, "paused": house.valkey.pause, "stopped": house.valkey.stop}[state]()
    traffic.saving = True
    try:
        with transaction.atomic():
            written(people, f"in a transaction {state}")
        for number in range(20):
            written(people, f"{state} {number}")
        send_order_update_to_group(people.order, {"message": "look"})
        BaseOrder.objects.get(pk=people.order.pk).save()
    finally:
        traffic.saving = False
        traffic.saved.set()
        {"up": lambda: None, "paused": house.valkey.resume, "stopped": house.valkey.start}[state]()
    assert traffic.touched == []
    assert all(traffic.relay_waited), "somebody waited for the relay while it waited for us"
    order = BaseOrder.objects.get(pk=people.order.pk)
    assert order.note == f"{state} 19"
    assert Event.objects.filter(topic=f"order.{people.order.pk}").latest("version").state["note"] == order.note


def test_a_relay_that_fails_fails_no_writer(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    people = cast()

    def broken(*args: object) -> None:
        raise OSError("nothing works")

    monkeypatch.setattr(relay, "wake", broken)
    monkeypatch.setattr(relay, "hint", broken)
    written(people, "all the same")
    with transaction.atomic():
        written(people, "and in a transaction")
        send_order_update_to_group(people.order, {"message": "look"})
    send_order_update_to_group(people.order, {"message": "look"})
    assert BaseOrder.objects.get(pk=people.order.pk).note == "and in a transaction"


def relay_has_made_its_round(traffic: Traffic, people: Cast) -> None:
    """Change another order, in another thread, until this process's relay was heard to publish it.

    It need not be the first: the server's relay may be faster, and after a trouble ours is silent for a second.
    """
    for number in range(60):
        words = f"spoken {people.order.pk} {number} {len(traffic.sent)}"
        in_a_thread(partial(written, people, words))
        if traffic.hears(words, timeout=0.5):
            return
    raise AssertionError("the relay never spoke")


@pytest.mark.parametrize("rolled_back", [True, False])
def test_nothing_of_a_transaction_is_sent_before_it_commits_or_when_it_rolls_back(
    house: House, traffic: Traffic, rolled_back: bool
) -> None:
    people, others = cast(), cast()
    words = f"unspoken {people.order.pk}"
    with transaction.atomic():
        written(people, words)
        relay_has_made_its_round(traffic, others)
        assert not traffic.said(words)
        transaction.set_rollback(rolled_back)
    relay_has_made_its_round(traffic, others)
    assert not (rolled_back and traffic.said(words))
    events = Event.objects.filter(topic=f"order.{people.order.pk}", state__note=words)
    assert events.exists() is not rolled_back


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
