"""Servers and lines end under load: clients of the sync dialect come back with ``have`` and miss nothing (I14)."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from asgiref.sync import sync_to_async

from orders.services import order_write_note
from realtime.models import Stream
from tests.engines import child_environment
from tests.following import Follower, following
from tests.people import Cast, cast
from tests.proxy import Proxy
from tests.server import Server, running


@pytest.fixture(scope="module")
def house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Proxy]]:
    """A server that the stories end, and a proxy in front of it."""
    with (
        running(tmp_path_factory.mktemp("server"), child_environment(), return_seconds=1.0) as server,
        Proxy("127.0.0.1", server.port) as proxy,
    ):
        yield server, proxy


@sync_to_async
def head_of(people: Cast) -> int:
    return Stream.objects.get(topic=f"order.{people.order.pk}").version


@asynccontextmanager
async def load(people: Cast) -> AsyncIterator[None]:
    """Somebody writes all the while."""
    ends = asyncio.Event()

    async def write() -> None:
        number = 0
        while not ends.is_set():
            number += 1
            await sync_to_async(order_write_note)(order_id=people.order.pk, note=f"note {number}", by=people.client)
            await asyncio.sleep(0.02)

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        ends.set()
        await writing


async def more_comes(people: Cast, *followers: Follower) -> None:
    """Return when each has a version that was committed after this call."""
    head = await head_of(people) + 1
    for follower in followers:
        await follower.until_version(people.order.pk, head)


async def killed(server: Server, proxy: Proxy) -> None:
    await asyncio.to_thread(server.stop, signal.SIGKILL)
    server.start()  # children are started from the main thread


async def stands_still(server: Server, proxy: Proxy) -> None:
    assert server.child is not None
    server.child.send_signal(signal.SIGSTOP)
    await asyncio.sleep(2)
    server.child.send_signal(signal.SIGCONT)


async def restarted(server: Server, proxy: Proxy) -> None:
    await asyncio.to_thread(server.stop)
    server.start()  # children are started from the main thread


async def line_cut(server: Server, proxy: Proxy) -> None:
    for _ in range(5):
        proxy.cut()
        await asyncio.sleep(0.3)


async def line_mute(server: Server, proxy: Proxy) -> None:
    proxy.mute()
    await asyncio.sleep(1)
    proxy.heal()


async def line_half_closed(server: Server, proxy: Proxy) -> None:
    proxy.half_close()


async def line_slow(server: Server, proxy: Proxy) -> None:
    proxy.throttle(20_000)
    await asyncio.sleep(1)
    proxy.heal()


TROUBLES = [killed, stands_still, restarted, line_cut, line_mute, line_half_closed, line_slow]


@pytest.mark.parametrize("trouble", TROUBLES, ids=[trouble.__name__ for trouble in TROUBLES])
async def test_who_comes_back_has_missed_nothing_and_gets_nothing_twice(
    house: tuple[Server, Proxy], trouble: Callable[[Server, Proxy], Awaitable[None]]
) -> None:
    server, proxy = house
    people = await sync_to_async(cast)()
    host, order = f"127.0.0.1:{proxy.port}", {"a": f"order:{people.order.pk}"}
    async with (
        following(host, people.client, order, "all") as whole,
        following(host, people.booster, {**order, "b": "orders:mine"}) as newest,
        load(people),
    ):
        await more_comes(people, whole, newest)
        await trouble(server, proxy)
        await more_comes(people, whole, newest)
        came = whole.versions(people.order.pk)
        assert came == list(range(came[0], came[-1] + 1)), "every version, once, in order"
        rising = newest.versions(people.order.pk)
        assert rising == sorted(set(rising))
        returns = whole.said("subscribed")[1:]
        assert all(frame["recovered"] for frame in returns), returns


async def test_a_server_that_is_told_to_stop_says_goodbye_and_spreads_the_returns(
    house: tuple[Server, Proxy],
) -> None:
    server, proxy = house
    people = await sync_to_async(cast)()
    topics = {"a": f"order:{people.order.pk}"}
    host = f"127.0.0.1:{server.port}"
    async with AsyncExitStack() as stack:
        viewers = [people.client, people.booster, people.manager, people.admin] * 3
        followers = [await stack.enter_async_context(following(host, viewer, topics, "all")) for viewer in viewers]
        await stack.enter_async_context(load(people))
        await more_comes(people, *followers)
        await restarted(server, proxy)
        await more_comes(people, *followers)
        waits = []
        for follower in followers:
            (goodbye,) = follower.said("goodbye")
            assert (goodbye["code"], goodbye["reconnect"]) == (4012, True)
            assert 0 <= goodbye["retry_after_ms"] <= 1000
            waits.append(goodbye["retry_after_ms"])
            assert follower.codes[0] == 4012
            came = follower.versions(people.order.pk)
            assert came == list(range(came[0], came[-1] + 1))
        assert len(set(waits)) > len(waits) / 2, "they would all come at once"
        assert max(waits) - min(waits) > 200
