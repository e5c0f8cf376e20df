"""A cookie that no database can look up is nobody's: neither who comes with it nor who comes beside him is told 4500,
and who has lost his account is still found (I11, I13).
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import websockets
from asgiref.sync import sync_to_async

from accounts.models import Role, User
from tests.engines import child_environment
from tests.people import cast, person
from tests.server import Server, Watch, running, session_of
from tests.streams import ask

pytestmark = pytest.mark.older

POISONED = [
    r'"\000"',
    r'"\000aaaaaaaaaaaa"',
    r'"aaaaaaaaaaaa\000"',
    r'"\001aaaaaaaaaaaa"',
    r'"\377aaaaaaaaaaaa"',
    "ünïcode-aaaa",
]
"""Plain ASCII on the wire but for the last: ``parse_cookie`` makes of them what they stand for."""


@pytest.fixture(scope="module")
def house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks every second who its sockets belong to."""
    with running(tmp_path_factory.mktemp("server"), child_environment(), identity_seconds=1.0) as server:
        yield server
    log = server.log.read_text()
    assert "Traceback" not in log, log[-3000:]
    assert "tried again" not in log, "a stranger makes no read fail"


async def answered(server: Server, path: str, cookie: str) -> int:
    """Return how a socket with ``cookie`` is closed; 0: it was told something."""
    async with websockets.connect(
        server.ws_url + path,
        additional_headers={"Cookie": f"sessionid={cookie}"},
        origin=websockets.Origin(server.url),
        compression=None,
    ) as socket:
        watch = Watch(socket)
        try:
            await watch.next()
        except websockets.ConnectionClosed:
            return socket.close_code or 0
        return 0


@asynccontextmanager
async def poisoners(server: Server, path: str) -> AsyncIterator[list[int]]:
    """Strangers knock without a pause; gives how they were answered."""
    over, codes = asyncio.Event(), list[int]()

    async def knock(cookie: str) -> None:
        while not over.is_set():
            codes.append(await answered(server, path, cookie))

    knocking = [asyncio.create_task(knock(cookie)) for cookie in POISONED[:4] * 2]
    try:
        yield codes
    finally:
        over.set()
        await asyncio.gather(*knocking)


@pytest.mark.parametrize("cookie", POISONED)
async def test_such_a_cookie_is_nobodys_on_every_door(house: Server, cookie: str) -> None:
    people = await sync_to_async(cast)()
    order = people.order.pk
    assert await answered(house, f"/ws/orders/{order}/", cookie) == 4401
    sent = {"Cookie": f"sessionid={cookie}".encode().decode("latin-1")}
    for path, status in [
        ("/", 302),
        ("/accounts/login/", 200),
        ("/admin/", 302),
        ("/api/me", 401),
        (f"/api/orders/{order}", 401),
        (f"/api/orders/{order}/state", 401),
        (f"/api/orders/{order}/stream", 401),
        ("/api/orders/stream?topic=mine", 401),
    ]:
        assert (await ask(house, path, headers=sent)).status == status, path


async def test_who_comes_beside_such_cookies_is_let_in_and_who_was_disabled_is_found(house: Server) -> None:
    people = await sync_to_async(cast)()
    path = f"/ws/orders/{people.order.pk}/"
    manager = await sync_to_async(person)(Role.MANAGER)
    async with house.watch(path, manager) as watch:
        await watch.next()
        async with poisoners(house, path) as codes:
            session = await sync_to_async(session_of)(people.client)
            assert [await answered(house, path, session) for _ in range(20)] == [0] * 20
            await sync_to_async(User.objects.filter(pk=manager.pk).update)(is_active=False)
            assert await watch.closed() == 4405
    assert set(codes) == {4401}
