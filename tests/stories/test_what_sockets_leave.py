"""A socket that has left is gone at once: nothing of it waits for the garbage collector.

A collection stops everybody. Two hundred sockets that came again and again left so much in circles that each lasted
50 to 100 ms, every few seconds (``benchmarks.attack``).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator

import pytest
from asgiref.sync import sync_to_async

from tests.attackers import ENDLESS, Attacker, handshakes
from tests.engines import child_environment
from tests.knocking import SYNC
from tests.people import Cast, cast
from tests.server import PATIENCE, Server, running, session_of
from tests.streams import ask
from tests.wire import handshake, spoken

MANY = 10


@pytest.fixture(scope="module")
def watched(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that says what is left of its sockets, and waits for a second until they say who they are."""
    folder = tmp_path_factory.mktemp("server")
    with running(folder, child_environment(), application="tests.leavings:application", auth_seconds=1.0) as server:
        yield server


async def watch_in(server: Server, people: Cast) -> None:
    async with server.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        await watch.next()


async def subscribe_in(server: Server, people: Cast) -> None:
    session = await sync_to_async(session_of)(people.client)
    request = handshake(server, f"/ws/orders/{people.order.pk}/", session=session, protocol=SYNC)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    async with asyncio.timeout(PATIENCE):
        await reader.readuntil(b'"synced"')
    writer.transport.abort()


async def be_refused(server: Server, people: Cast) -> None:
    session = await sync_to_async(session_of)(people.other_client)
    await spoken(server, handshake(server, f"/ws/orders/{people.order.pk}/", session=session))


async def be_nobody(server: Server, people: Cast) -> None:
    await spoken(server, handshake(server, f"/ws/orders/{people.order.pk}/", protocol=SYNC))


def attack(kind: str) -> Callable[[Server, Cast], Awaitable[None]]:
    async def come(server: Server, people: Cast) -> None:
        session = await sync_to_async(session_of)(people.client)
        opened = handshakes(server, [session], people.order.pk)[0]
        await Attacker(server.port, kind, opened, 1).come()

    return come


WAYS = {each.__name__: each for each in (watch_in, subscribe_in, be_refused, be_nobody)}
WAYS |= {kind: attack(kind) for kind in ENDLESS}


@pytest.mark.parametrize("way", WAYS)
async def test_nothing_waits_for_the_collector(watched: Server, way: str) -> None:
    people = await sync_to_async(cast)()
    await asyncio.gather(*(WAYS[way](watched, people) for _ in range(MANY)))
    async with asyncio.timeout(PATIENCE):
        while left := {kind: n for kind, n in (await what_is_left(watched)).items() if (kind, n) != ("Line", 1)}:
            await asyncio.sleep(0.2)  # the one line is that of who asks
            print(left)


async def what_is_left(server: Server) -> dict[str, int]:
    found: dict[str, int] = json.loads((await ask(server, "/left")).body)
    return found
