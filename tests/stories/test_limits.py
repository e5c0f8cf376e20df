"""How much one address and one user may have open, over all processes, and when the shared count is away (PROTOCOL §6).

The shared count is a Valkey of the stories' own, limits are shrunk, and each story comes from addresses of its own.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import websockets
from asgiref.sync import sync_to_async

from gameBoosterss.development.engines import Valkey
from orders.services import order_write_note
from tests.engines import child_environment, own_valkey
from tests.knocking import SYNC, asked, code_of, entered, knocked
from tests.people import cast
from tests.server import Server, Uvicorn, running, session_of
from tests.streams import Reply, source

NEVER = 0.001
"""Handshakes a second: none comes back while a story lasts."""
MANY = {"handshakes_burst": 10_000, "address_strangers": 1000}
ALL = "/ws/orders/"


@contextmanager
def house(folder: Path, valkey: Valkey, *names: str, proxies: tuple[str, ...] = ("127.0.0.1",), **limits: Any) -> Any:
    """Give servers that share a database and a Valkey, with these limits, and believe us like a proxy."""
    environment = child_environment() | {"REDIS_URL": valkey.url}
    settings = {"limits": {key.upper(): value for key, value in limits.items()}, "auth_seconds": 600.0}
    servers = []
    with ExitStack() as stack:
        for name in names:
            (folder / name).mkdir()
            servers.append(
                stack.enter_context(running(folder / name, environment, trusted_proxies=proxies, **settings))
            )
        yield servers
    for server in servers:
        assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


@pytest.fixture(scope="module")
def valkeys() -> Iterator[Valkey]:
    with own_valkey() as engine:
        yield engine


@pytest.fixture(scope="module")
def two(db: None, valkeys: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers; a user has 3 sockets, an address 8 handshakes and 3 strangers."""
    limits = {"user_sockets": 3, "handshakes_burst": 8, "handshakes_rate": NEVER, "address_strangers": 3}
    proxies = ("127.0.0.1", "10.0.0.0/8")
    with house(tmp_path_factory.mktemp("two"), valkeys, "one", "other", proxies=proxies, **limits) as servers:
        yield servers


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.1)


async def lets_in(server: Server, user: Any, *, at: str) -> bool:
    """Return whether ``user`` gets a socket; it is closed again."""
    async with entered(server, ALL, user, at=at) as watch:
        return bool((await watch.next())["type"] == "welcome")


@pytest.mark.older_long
async def test_who_knocks_too_often_gets_429_from_every_process(two: list[Server]) -> None:
    one, other = two
    for server in (one, other) * 4:
        assert await code_of(server, ALL + "1/", at="192.0.2.1") == 4401
    for server in (one, other):
        status, head = await knocked(server, ALL + "1/", at="192.0.2.1")
        assert status == 429
        assert "\r\nretry-after: " in head
        assert await code_of(server, "/ws/nothing/", at="192.0.2.1") == 429, "whatever he knocks at"
        reply = await asked(server, "/api/orders/1/stream", None, at="192.0.2.1")
        assert (reply.status, reply.json()["error"]["code"]) == (429, "too_many")
        assert int(reply.headers["retry-after"]) > 0
        assert await code_of(server, ALL + "1/", at="192.0.2.2") == 4401, "and nobody else"


@pytest.mark.older_long
async def test_strangers_have_few_places_and_give_them_back(two: list[Server]) -> None:
    one, other = two
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(entered(one, ALL, at="192.0.2.3"))
        await stack.enter_async_context(entered(one, ALL, at="192.0.2.3"))
        await stack.enter_async_context(entered(other, ALL, at="192.0.2.3"))
        assert await code_of(one, ALL, at="192.0.2.3", protocol=SYNC) == 429
        assert await code_of(other, ALL, at="192.0.2.3", protocol=SYNC) == 429
        await first.socket.close()

        async def is_let_in() -> bool:
            reply = await asked(other, "/api/orders/1/stream", None, at="192.0.2.3")
            return reply.status == 401

        await eventually(is_let_in)


async def test_who_has_said_who_he_is_is_no_stranger_any_more(two: list[Server]) -> None:
    people = await sync_to_async(cast)()
    async with AsyncExitStack() as stack:
        for user in (people.client, people.booster, people.manager, people.admin):
            watch = await stack.enter_async_context(entered(two[0], ALL, user, at="192.0.2.4"))
            assert (await watch.next())["type"] == "welcome"
        assert await code_of(two[1], ALL + "1/", at="192.0.2.4") == 4401


@pytest.mark.older_long
async def test_a_user_has_his_sockets_over_all_processes(two: list[Server]) -> None:
    one, other = two
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    path = f"{ALL}{people.order.pk}/"
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(entered(one, ALL, people.client, at="192.0.2.5"))
        second = await stack.enter_async_context(entered(one, path, people.client, at="192.0.2.6", protocol=""))
        third = await stack.enter_async_context(entered(other, ALL, people.client, at="192.0.2.7"))
        for watch in (first, second, third):
            await watch.next()
        for server in two:
            assert await code_of(server, path, at="192.0.2.8", session=session) == 4429
            async with entered(server, ALL, people.client, at="192.0.2.9") as fourth:
                assert await fourth.closed() == 4429
                said = fourth.frames[-1]
                assert (said["type"], said["code"], said["reconnect"]) == ("goodbye", 4429, True)
                assert said["retry_after_ms"] >= 5000
        assert await lets_in(other, people.booster, at="192.0.2.9"), "another user of that address"
        await first.socket.close()
        await eventually(lambda: lets_in(other, people.client, at="192.0.2.10"))


async def test_who_loads_a_page_anew_gets_the_place_that_he_is_about_to_leave(
    db: None, valkeys: Valkey, tmp_path: Path
) -> None:
    """The new socket may be counted before the old one has left, here or in another process."""
    people = await sync_to_async(cast)()
    with house(tmp_path, valkeys, "one", "other", user_sockets=1, leaving_seconds=60.0, **MANY) as [one, other]:
        async with AsyncExitStack() as stack:
            held = await stack.enter_async_context(entered(one, ALL, people.client, at="192.0.2.81"))
            assert (await held.next())["type"] == "welcome"
            for server in (one, other, one):
                coming = await stack.enter_async_context(entered(server, ALL, people.client, at="192.0.2.81"))
                with pytest.raises(TimeoutError):
                    await coming.next(timeout=0.5)
                await held.socket.close()
                assert (await coming.next())["type"] == "welcome"
                held = coming


@pytest.mark.older_long
async def test_streams_and_waits_take_places_like_sockets(two: list[Server]) -> None:
    one, other = two
    people = await sync_to_async(cast)()
    order = f"/api/orders/{people.order.pk}"
    async with AsyncExitStack() as stack:
        for number in range(3):
            stream = await stack.enter_async_context(
                source(one, f"{order}/stream", people.client, **{"X-Forwarded-For": f"192.0.2.{20 + number}"})
            )
            assert stream.status == 200
            await stream.next()
        for path in (f"{order}/stream", "/api/orders/stream?topic=mine", f"{order}/state?wait=5"):
            for server in two:
                reply = await asked(server, path, people.client, at="192.0.2.23")
                assert (reply.status, reply.json()["error"]["code"]) == (429, "too_many"), path
                assert int(reply.headers["retry-after"]) >= 5
        assert (await asked(other, f"{order}/state", people.client, at="192.0.2.24")).status == 200, "no wait, no place"
        session = await sync_to_async(session_of)(people.client)
        assert await code_of(other, ALL, at="192.0.2.24", session=session, protocol=SYNC) == 4429

    async def may_wait() -> bool:
        return (await asked(other, f"{order}/state?wait=1", people.client, at="192.0.2.25")).status == 200

    await may_wait()
    await eventually(lambda: lets_in(other, people.client, at="192.0.2.26"))


async def test_a_poll_that_waits_holds_a_place_and_gives_it_back(two: list[Server]) -> None:
    people = await sync_to_async(cast)()
    path = f"/api/orders/{people.order.pk}/state"
    addresses = (f"198.51.100.{number}" for number in range(250))

    async def three_wait(seconds: int) -> list[asyncio.Task[Reply]]:
        at = next(addresses)
        tag = (await asked(two[0], path, people.client, at=at)).headers["etag"]
        wait = partial(asked, two[0], f"{path}?wait={seconds}", people.client, at=at, **{"If-None-Match": tag})
        return [asyncio.create_task(wait()) for _ in range(3)]

    waits = await three_wait(25)

    async def is_full() -> bool:
        assert not any(wait.done() for wait in waits), "nobody was refused while they waited"
        return not await lets_in(two[1], people.client, at=next(addresses))

    await eventually(is_full)
    await sync_to_async(order_write_note)(order_id=people.order.pk, note="news for them", by=people.client)
    assert [(await wait).status for wait in waits] == [200, 200, 200]

    async def three_are_told_nothing() -> bool:
        return [(await wait).status for wait in await three_wait(1)] == [304, 304, 304]

    await eventually(three_are_told_nothing)
    await eventually(lambda: lets_in(two[1], people.client, at=next(addresses)))


async def test_a_process_serves_what_it_can_and_sends_the_others_elsewhere(
    db: None, valkeys: Valkey, tmp_path: Path
) -> None:
    people = await sync_to_async(cast)()
    path = f"{ALL}{people.order.pk}/"
    with house(tmp_path, valkeys, "server", process_sockets=2) as [server]:
        async with (
            entered(server, ALL, people.client, at="192.0.2.90") as watch,
            server.watch(path, people.booster) as plain,
        ):
            assert (await watch.next())["type"] == "welcome"
            assert (await plain.next())["version"]
            async with server.watch(path, people.manager) as other:
                assert (await other.closed(), other.frames) == (1013, [])
            async with entered(server, ALL, people.manager, at="192.0.2.90") as other:
                assert await other.closed() == 1013
                (goodbye,) = other.frames
                assert (goodbye["code"], goodbye["reconnect"]) == (1013, True)
                assert goodbye["retry_after_ms"] >= 5000
            reply = await asked(
                server, f"/api{ALL.removeprefix('/ws')}{people.order.pk}/stream", people.manager, at="192.0.2.90"
            )
            assert (reply.status, reply.json()["error"]["code"]) == (503, "overloaded")
            assert int(reply.headers["retry-after"]) >= 5

        async def is_let_in() -> bool:
            async with server.watch(path, people.manager) as other:
                try:
                    return bool((await other.next())["version"])
                except websockets.ConnectionClosed:
                    return False

        await eventually(is_let_in)


async def test_only_a_listed_proxy_is_believed(db: None, valkeys: Valkey, two: list[Server], tmp_path: Path) -> None:
    limits = {"handshakes_burst": 5, "handshakes_rate": NEVER}
    with house(tmp_path, valkeys, "server", proxies=("10.0.0.0/8", "unix"), **limits) as [server]:
        answers = [await code_of(server, ALL + "1/", at=f"203.0.113.{number}") for number in range(7)]
        assert answers == [4401] * 5 + [429] * 2, "each claimed to come from elsewhere"
    believing = two[0]
    for number in range(8):
        said = f"203.0.113.{number}, no address, ::, 192.0.2.40"
        assert await code_of(believing, ALL + "1/", at=said) == 4401
    assert await code_of(believing, ALL + "1/", at="203.0.113.9, 192.0.2.40") == 429, "what stands left is forged"


GARBAGE = {
    "": 4401,
    ",,,": 4401,
    "\xff": 400,
    "1.2.3.4.5": 4401,
    "[::1": 4401,
    "9" * 4000: 4401,
    '::1%"': 4401,
    "192.0.2.41:80:80": 4401,
}
"""What may stand between two addresses, and what its handshake gets. Only what is no ASCII is no header."""


async def test_what_stands_left_of_garbage_is_not_believed(two: list[Server]) -> None:
    """The proxy right of it is counted: it is the last that is known."""
    for _ in range(8):
        assert await code_of(two[0], ALL + "1/", at="192.0.2.80") == 4401
    assert await code_of(two[0], ALL + "1/", at="192.0.2.80, 10.7.1.1") == 429, "read from the right, up to the client"
    for number, (garbage, code) in enumerate(GARBAGE.items()):
        assert await code_of(two[0], ALL + "1/", at=f"192.0.2.80, {garbage}, 10.7.0.{number}") == code, garbage
    for _ in range(7):
        assert await code_of(two[0], ALL + "1/", at="192.0.2.80, no address, 10.7.0.0") == 4401
    assert await code_of(two[0], ALL + "1/", at="203.0.113.9, no address, 10.7.0.0") == 429


async def test_all_of_an_ipv6_customer_is_one_address(two: list[Server]) -> None:
    answers = [await code_of(two[0], ALL + "1/", at=f"2001:db8:0:1::{number:x}") for number in range(10)]
    assert answers == [4401] * 8 + [429] * 2
    assert await code_of(two[1], ALL + "1/", at="2001:db8:0:2::1") == 4401


async def test_a_server_that_is_killed_keeps_nobodys_place_for_longer_than_a_lease(
    db: None, valkeys: Valkey, tmp_path: Path
) -> None:
    people = await sync_to_async(cast)()
    with house(tmp_path, valkeys, "one", "other", user_sockets=2, lease_seconds=12.0, **MANY) as [one, other]:
        async with AsyncExitStack() as stack:
            for _ in range(2):
                watch = await stack.enter_async_context(entered(one, ALL, people.client, at="192.0.2.50"))
                await watch.next()
            one.stop(signal.SIGKILL)
            assert not await lets_in(other, people.client, at="192.0.2.50"), "they are still counted"
            await eventually(lambda: lets_in(other, people.client, at="192.0.2.50"))


@pytest.mark.parametrize("trouble", ["paused", pytest.param("stopped", marks=pytest.mark.long)])
async def test_without_the_shared_count_each_process_counts_alone(db: None, tmp_path: Path, trouble: str) -> None:
    people = await sync_to_async(cast)()
    limits = {**MANY, "user_sockets": 2, "lease_seconds": 3.0, "shared_pause": 0.5, "shared_timeout": 2.0}
    with own_valkey() as valkey, house(tmp_path, valkey, "one", "other", **limits) as [one, other]:
        async with AsyncExitStack() as stack:

            async def enters(server: Server) -> Any:
                watch = await stack.enter_async_context(entered(server, ALL, people.client, at="192.0.2.60"))
                assert (await watch.next())["type"] == "welcome"
                return watch

            valkey.pause() if trouble == "paused" else valkey.stop()
            held = [await enters(one), await enters(one)]
            assert not await lets_in(one, people.client, at="192.0.2.60"), "the process's own count holds"
            await enters(other)
            valkey.resume() if trouble == "paused" else valkey.start()

            async def is_refused() -> bool:
                return not await lets_in(other, people.client, at="192.0.2.60")

            await eventually(is_refused)  # what was let in meanwhile is told to the shared count
            for watch in held:
                await watch.socket.close()
            await eventually(lambda: lets_in(other, people.client, at="192.0.2.60"))
        assert "counts alone" in one.log.read_text()


async def test_uvicorn_refuses_alike(two: list[Server], tmp_path: Path) -> None:
    server = Uvicorn(two[0].environment, tmp_path / "uvicorn.log")
    server.start()
    try:
        people = await sync_to_async(cast)()
        for _ in range(8):
            assert await code_of(server, ALL + "1/", at="192.0.2.70") == 4401
        for at_another in (server, two[0]):
            status, head = await knocked(at_another, ALL + "1/", at="192.0.2.70")
            assert (status, "\r\nretry-after: " in head) == (429, True)
        async with AsyncExitStack() as stack:
            for _ in range(3):
                watch = await stack.enter_async_context(entered(server, ALL, people.client, at="192.0.2.71"))
                assert (await watch.next())["type"] == "welcome"
            session = await sync_to_async(session_of)(people.client)
            assert await code_of(server, ALL + "1/", at="192.0.2.72", session=session) == 4429
        await eventually(lambda: lets_in(two[0], people.client, at="192.0.2.72"))
    finally:
        server.stop()
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]
