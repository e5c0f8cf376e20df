"""What a process counts by itself."""

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pytest_django import Settings

from realtime import metrics
from realtime.identity import Claim
from realtime.quotas import Over
from realtime.tests.limits.places import Make, arrived, entered, eventually, limit
from realtime.tests.test_metrics import raises

pytestmark = pytest.mark.older_long


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
