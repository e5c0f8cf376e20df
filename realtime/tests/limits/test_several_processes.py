"""Several processes count together on one Redis."""

import asyncio
from typing import Any

import pytest
from pytest_django import Settings

from realtime import metrics
from realtime.quotas import Over, Place
from realtime.tally import _at
from realtime.tests.limits.places import (
    Make,
    arrived,
    entered,
    eventually,
    layer_at,
    limit,
    own_address,
    own_name,
    redis,
)
from realtime.tests.test_metrics import raises

pytestmark = pytest.mark.older_long


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
