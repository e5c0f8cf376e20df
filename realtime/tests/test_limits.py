"""Limits in one process and in several on one Redis: what is refused is counted, what is held is bounded, and a Redis
that is away refuses nobody.
"""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings as given
from django.test import AsyncClient
from hypothesis import given as given_that
from hypothesis import strategies as st
from pytest_django import Settings

from realtime import metrics
from realtime.hub import Hub
from realtime.identity import Claim
from realtime.limits import Bucket, Rates
from realtime.quotas import Over, Place, Quotas
from realtime.routing import websocket_urlpatterns
from realtime.tally import _at
from realtime.testing import connect_as
from realtime.tests.people import delivery, user
from realtime.tests.test_identity import cookie, session_of
from realtime.tests.test_metrics import raises, read

pytestmark = pytest.mark.older_long
LAYER: Any = given.CHANNEL_LAYERS["default"]
HAS_REDIS = "channels_redis" in LAYER["BACKEND"]
redis = pytest.mark.skipif(not HAS_REDIS, reason="there is no Redis")

FEW = {
    "USER_SOCKETS": 2,
    "ADDRESS_STRANGERS": 3,
    "HANDSHAKES_BURST": 5,
    "HANDSHAKES_RATE": 0.001,
    "LEAVING_SECONDS": 0.0,
}
PATIENT = {"SHARED_TIMEOUT": 30.0}


def limit(settings: Settings, **limits: Any) -> None:
    settings.REALTIME = {**settings.REALTIME, "LIMITS": {**FEW, **PATIENT, **limits}}


async def eventually(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


async def arrived(quotas: Quotas, address: str) -> Place:
    found = await quotas.arrive(address)
    assert isinstance(found, Place), found
    return found


async def entered(quotas: Quotas, address: str, account: str) -> Place | None:
    """Return the place of somebody who has said who he is; ``None``: his user has none left."""
    place = await arrived(quotas, address)
    if await place.belong(account, None) is None:
        return place
    place.leave()
    return None


def own_name() -> str:
    """Return a name that no other test counts for."""
    own_name.number += 1  # type: ignore[attr-defined]
    return f"account{own_name.number}"  # type: ignore[attr-defined]


own_name.number = 0  # type: ignore[attr-defined]


def own_address() -> str:
    own_name()
    return f"192.0.2.{own_name.number % 250}"  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def emptied() -> None:
    """Start without what other tests have left in Redis."""
    if HAS_REDIS:
        import redis as library

        with library.Redis.from_url(LAYER["CONFIG"]["hosts"][0]["address"]) as client:
            for key in client.scan_iter("*:limits:*"):
                client.delete(key)


Make = Callable[[], Quotas]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make what one process has: each counts for itself, as two processes do."""
    made: list[Quotas] = []

    def make() -> Quotas:
        made.append(Quotas())
        return made[-1]

    yield make
    for quotas in made:
        if quotas._tally._keeping is not None:
            quotas._tally._keeping.cancel()
        await quotas._tally.questions.hang_up()


# -- Rules that know no network.


@given_that(st.lists(st.integers(0, 12), max_size=80))
def test_a_rate_decides_as_a_bucket_does(steps: list[int]) -> None:
    now = 100.0
    rates, bucket = Rates(), Bucket(rate=2.0, burst=5, now=now)
    for step in steps:
        now += step / 4
        wait = rates.wait("name", rate=2.0, burst=5, names=10, now=now)
        assert (wait == 0) == bucket.allow(now=now)
        assert 0 <= wait <= 0.5


def test_the_table_of_addresses_is_bounded_and_keeps_who_is_heard_of() -> None:
    rates = Rates()

    def knock(name: str) -> float:
        return rates.wait(name, rate=0.001, burst=2, names=100, now=0.0)

    assert [knock("attacker") > 0 for _ in range(3)] == [False, False, True]
    for number in range(10_000):
        assert knock(f"2001:db8:{number:x}::") == 0
        assert knock("attacker") > 0, "who keeps knocking is not forgotten"
    assert len(rates) == 100
    assert rates.forgotten == 10_000 + 1 - 100


# -- Addresses.


async def test_the_process_alone_refuses_what_is_over_and_counts_it(settings: Settings, make: Make) -> None:
    limit(settings)
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    quotas = make()
    places = [await arrived(quotas, "192.0.2.1") for _ in range(3)]
    with raises(metrics.over_limits, "strangers", "alone"):
        assert isinstance(await quotas.arrive("192.0.2.1"), Over)
    places.pop().leave()
    await arrived(quotas, "192.0.2.1")
    with raises(metrics.over_limits, "handshakes", "alone"):
        over = await quotas.arrive("192.0.2.1")
    assert isinstance(over, Over)
    assert over.retry_after > 0
    await arrived(quotas, "192.0.2.2")


async def test_who_has_said_who_he_is_is_no_stranger_any_more(settings: Settings, make: Make) -> None:
    limit(settings, HANDSHAKES_BURST=1000)
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    quotas = make()
    assert all([await entered(quotas, "192.0.2.1", f"user{number}") for number in range(10)])


async def test_tables_hold_nothing_when_all_have_left(settings: Settings, make: Make) -> None:
    limit(settings, ADDRESSES_AT_MOST=10)
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    quotas = make()
    before = metrics.addresses_forgotten._value.get()
    for number in range(50):
        place = await arrived(quotas, f"2001:db8:{number:x}::")
        assert await place.belong(f"user{number}", Claim(session=f"session{number}")) is None
        place.leave()
        place.leave()
    assert metrics.addresses_forgotten._value.get() == before + 40
    assert quotas._open == {}
    assert len(quotas._rates) == 10


async def test_a_place_that_nobody_holds_any_more_is_given_back(settings: Settings, make: Make) -> None:
    limit(settings)
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    quotas = make()
    places = [await entered(quotas, "", "alice") for _ in range(2)]
    assert await entered(quotas, "", "alice") is None
    del places
    gc.collect()

    async def is_free() -> bool:
        return await entered(quotas, "", "alice") is not None

    await eventually(is_free)


@pytest.mark.parametrize("how", ["collected", "left"])
async def test_what_another_thread_gives_back_is_counted_on_the_loop(settings: Settings, make: Make, how: str) -> None:
    """Between two steps of a count the collector may run, in any thread."""
    limit(settings)
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    quotas = make()
    cycle: list[Any] = [await entered(quotas, "", "alice")]
    cycle.append(cycle)
    leave = cycle[0].leave if how == "left" else gc.collect
    del cycle
    with ThreadPoolExecutor(1) as other:
        other.submit(leave).result()  # the loop stands still meanwhile
    assert (quotas.places, quotas._open) == (1, {"user:alice": 1})
    await eventually(lambda: quotas.places == 0)
    assert quotas._open == {}


async def test_who_has_no_place_left_waits_for_one_of_his_that_is_about_to_be_free(
    settings: Settings, make: Make
) -> None:
    limit(settings, LEAVING_SECONDS=60.0)
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    quotas, claim = make(), Claim(session="page")
    places = [await arrived(quotas, "") for _ in range(2)]
    for place in places:
        assert await place.belong("alice", claim) is None
    coming = await arrived(quotas, "")
    waiting = [asyncio.create_task(coming.belong("alice", None)), asyncio.create_task(quotas.stays_full(claim))]
    done, _ = await asyncio.wait(waiting, timeout=0.5)
    assert not done
    places[0].leave()
    assert await asyncio.gather(*waiting) == [None, None]


async def test_the_profile_lifts_limits_for_this_machine_only(settings: Settings, make: Make) -> None:
    limit(settings, LOOPBACK=False)
    quotas = make()
    for address in ("127.0.0.1", "127.8.8.8", "::", ""):
        places = [await entered(quotas, address, "alice") for _ in range(20)]
        assert all(places), address
    there = [await entered(quotas, "192.0.2.9", "bob") for _ in range(3)]
    assert [place is not None for place in there] == [True, True, False]


# -- Several processes on one Redis.


@redis
async def test_handshakes_are_counted_for_all(settings: Settings, make: Make) -> None:
    limit(settings)
    one, other, address = make(), make(), own_address()
    for quotas in (one, other, one, other, one):
        (await arrived(quotas, address)).leave()
    with raises(metrics.over_limits, "handshakes", "together"):
        over = await other.arrive(address)
    assert isinstance(over, Over)
    assert over.retry_after > 1
    assert isinstance(await one.arrive(address), Over)


@redis
async def test_places_are_counted_for_all_and_given_back(settings: Settings, make: Make) -> None:
    limit(settings, HANDSHAKES_BURST=1000)
    one, other, name, address = make(), make(), own_name(), own_address()
    first, second = await entered(one, "", name), await entered(other, "", name)
    assert first
    assert second
    with raises(metrics.over_limits, "sockets", "together"):
        assert await entered(one, "", name) is None
    strangers = [await arrived(one, address), await arrived(one, address), await arrived(other, address)]
    with raises(metrics.over_limits, "strangers", "together"):
        assert isinstance(await other.arrive(address), Over)
    second.leave()
    strangers.pop().leave()

    async def free() -> bool:
        place = await entered(one, "", name)
        found = await one.arrive(address)
        return place is not None and isinstance(found, Place)

    await eventually(free)


@redis
async def test_a_lease_that_nobody_renews_ends_and_one_that_is_renewed_does_not(settings: Settings, make: Make) -> None:
    limit(settings, LEASE_SECONDS=4.0)
    alive, dead, name = make(), make(), own_name()
    kept, lost = await entered(alive, "", name), await entered(dead, "", name)
    assert kept
    assert lost
    keeping = dead._tally._keeping
    assert keeping is not None
    keeping.cancel()  # what kill -9 leaves behind

    async def is_free() -> bool:
        return await entered(alive, "", name) is not None

    assert not await is_free()
    await eventually(is_free)
    other = make()
    await asyncio.sleep(5)  # longer than a lease
    places = [await entered(other, "", name) for _ in range(2)]
    assert sum(place is not None for place in places) == 1, "the place that is held is still counted"


@redis
async def test_a_server_that_was_emptied_is_told_again(settings: Settings, make: Make) -> None:
    limit(settings, LEASE_SECONDS=3.0)
    one, other, name = make(), make(), own_name()
    places = [await entered(one, "", name), await entered(one, "", name)]
    assert all(places)
    client = one._tally.questions._connected()
    assert client is not None
    await client.delete(_at(f"user:{name}"))

    async def is_refused() -> bool:
        place = await entered(other, "", name)
        if place is not None:
            place.leave()
        return place is None

    await eventually(is_refused)


@redis
async def test_a_lease_that_is_refused_is_not_renewed(settings: Settings, make: Make, valkey: Any) -> None:
    """Its question is under way while others are renewed: with them it would be held by nobody, for a lease."""
    limit(settings, LEASE_SECONDS=600.0)
    layer_at(settings, valkey.url)
    one, other, name = make(), make(), own_name()
    held = [await entered(one, "", name), await entered(one, "", name)]
    assert all(held)
    limit(settings, LEASE_SECONDS=6.0)
    with raises(metrics.over_limits, "sockets", "together"):
        valkey.pause()
        coming = asyncio.create_task(entered(other, "", name))
        await asyncio.sleep(3)  # longer than it takes until what is held is renewed
        valkey.resume()
        assert await coming is None
    client = other._tally.questions._connected()
    assert client is not None
    await other._tally.questions.ask("return 1", [], [])  # behind all that was asked before
    leases: list[Any] = await client.zrange(_at(f"user:{name}"), 0, -1)
    assert {lease.decode() for lease in leases} == {place.lease for place in held if place}


@pytest.fixture
def mute() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"


def layer_at(settings: Settings, url: str) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [url]}}
    }


async def test_a_mute_server_is_asked_once_and_refuses_nobody(settings: Settings, make: Make, mute: str) -> None:
    limit(settings, SHARED_TIMEOUT=0.2, SHARED_PAUSE=600.0, HANDSHAKES_BURST=1000)
    layer_at(settings, mute)
    quotas, name = make(), own_name()
    mutes, away = read(metrics.counted_alone, "mute"), read(metrics.counted_alone, "away")
    assert all([await entered(quotas, "192.0.2.1", name) for _ in range(2)])
    assert await entered(quotas, "192.0.2.1", name) is None, "the process's own count holds"
    assert read(metrics.counted_alone, "mute") == mutes + 1
    assert read(metrics.counted_alone, "away") > away + 3


async def test_nobody_waits_for_a_server_that_is_not_there(settings: Settings, make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    limit(settings, SHARED_PAUSE=600.0)
    layer_at(settings, f"redis://127.0.0.1:{port}/0")
    quotas = make()
    with raises(metrics.counted_alone, "failed"):
        assert await entered(quotas, "192.0.2.1", "alice") is not None


# -- Before the database.


@pytest.mark.django_db(transaction=True)
async def test_who_knocks_too_often_costs_no_read(settings: Settings) -> None:
    limit(settings, HANDSHAKES_BURST=1)
    record = await sync_to_async(delivery)()

    async def knocks() -> Any:
        knocking = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/deliveries/{record.pk}/")  # type: ignore[arg-type]
        knocking.scope |= {"client": ("192.0.2.77", 4711), "extensions": {"websocket.http.response": {}}}
        await knocking.send_input({"type": "websocket.connect"})
        said = await knocking.receive_output(timeout=30)
        if said["type"] == "websocket.accept":
            await knocking.disconnect(timeout=30)
        else:
            await knocking.wait(timeout=30)
        return said

    assert (await knocks())["type"] == "websocket.accept"
    Hub.current().end()
    said = await knocks()
    assert said["status"] == 429
    assert dict(said["headers"])[b"retry-after"]
    assert Hub.current()._reader is None, "nothing was begun"


@pytest.mark.django_db(transaction=True)
async def test_a_stream_that_never_begins_gives_its_place_back(settings: Settings) -> None:
    limit(settings, HANDSHAKES_BURST=1000)
    record = await sync_to_async(delivery)()
    asking = AsyncClient()
    await asking.aforce_login(record.sender)

    async def asked() -> Any:
        return await asking.get(f"/api/deliveries/{record.pk}/stream")

    streams = [await asked(), await asked()]
    refused = await asked()
    assert (refused.status_code, refused["Retry-After"]) == (429, "5")
    assert refused.json()["error"]["code"] == "too_many"
    streams[0].close()

    async def is_free() -> bool:
        return bool((await asked()).status_code == 200)

    await eventually(is_free)
    for stream in streams:
        stream.close()


@pytest.mark.django_db(transaction=True)
async def test_a_session_that_has_all_places_of_its_user_costs_no_read(settings: Settings) -> None:
    limit(settings)
    record = await sync_to_async(delivery)()
    key = await sync_to_async(lambda: cookie(session_of(record.sender)))()
    path = f"/ws/deliveries/{record.pk}/"
    async with connect_as(None, path, session=key) as first, connect_as(None, path, session=key) as second:
        await first.next()
        await second.next()
        reader = Hub.current().start()
        calls: list[object] = []
        original = reader.accounts

        async def counted(claims: Any) -> Any:
            calls.append(claims)
            return await original(claims)

        reader.accounts = counted  # type: ignore[method-assign]
        async with connect_as(None, path, session=key) as third:
            assert await third.closed() == 4429
        assert calls == []
        other = await sync_to_async(lambda: cookie(session_of(record.sender)))()
        async with connect_as(None, path, session=other) as fourth:
            assert await fourth.closed() == 4429, "another session of the same user"
        assert len(calls) == 1
        stranger = await sync_to_async(user)()
        async with connect_as(stranger, path) as fifth:
            assert await fifth.closed() == 4404
