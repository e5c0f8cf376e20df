"""Who is closed for what he sent, again and again, has to wait before he is served again; nobody else does.

What one such socket costs is bounded, but it is a handshake and reads of the database, and he may come again at once.
"""

import asyncio
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from tests.attackers import EMPTY, PING_FLOOD
from tests.engines import child_environment, own_valkey
from tests.knocking import SYNC, asked, code_of, entered
from tests.people import cast
from tests.server import PATIENCE, Server, running, session_of
from tests.wire import BINARY, CLOSE, TEXT, Frames, frame, handshake, spoken

NEVER = 0.001
ORDERS = "/ws/orders/"

WAYS = {
    "too large": (frame(b"x" * 65_537, BINARY), 1009),
    "no UTF-8": (frame(b"\xff"), 1007),
    "no opcode": (frame(b"", 5), 1002),
    "no JSON": (frame(b"{"), 4400),
    "pings": (PING_FLOOD, 4429),
    "empty fragments": (EMPTY, 4429),
    "messages": (frame(b'{"type":"x"}') * 300, 4429),
}


@pytest.fixture(scope="module")
def strict(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets two such sockets of a user pass, one that comes between them, and never forgets."""
    limits = {"OFFENCES_BURST": 3, "OFFENCES_RATE": NEVER, "HANDSHAKES_BURST": 10_000}
    folder = tmp_path_factory.mktemp("server")
    with (
        own_valkey() as valkey,
        running(
            folder, child_environment() | {"REDIS_URL": valkey.url}, trusted_proxies=["127.0.0.1"], limits=limits
        ) as server,
    ):
        yield server
        assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


async def offend(server: Server, user: User, said: bytes) -> int:
    """Come, say it, and return the code that closes the socket."""
    session = await sync_to_async(session_of)(user)
    _, body = await spoken(server, handshake(server, ORDERS, session=session, protocol=SYNC), said)
    codes = [int.from_bytes(data[:2]) for opcode, data in Frames().feed(body) if opcode == CLOSE]
    return codes[0]


async def let_in(server: Server, user: User) -> int:
    """Return 0 when he is let in, or the code that he is refused with; that session is his first there."""
    async with entered(server, ORDERS, user, at="192.0.2.1") as watch:
        said = await watch.next()
        if said["type"] == "welcome":
            return 0
        assert (said["type"], said["reconnect"]) == ("goodbye", True)
        assert said["retry_after_ms"] >= 5000
        return await watch.closed()


async def eventually(server: Server, user: User, code: int) -> None:
    """A line that is cut is known to the application a moment later."""
    async with asyncio.timeout(PATIENCE):
        while await let_in(server, user) != code:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("way", WAYS)
async def test_who_offends_again_and_again_has_to_wait(strict: Server, way: str) -> None:
    people = await sync_to_async(cast)()
    said, code = WAYS[way]
    assert await offend(strict, people.client, said) == code
    assert await let_in(strict, people.client) == 0, "once is no crime"
    assert await offend(strict, people.client, said) == code
    await eventually(strict, people.client, 4429)
    session = await sync_to_async(session_of)(people.client)
    assert await code_of(strict, ORDERS, at="192.0.2.1", session=session, protocol=SYNC) == 4429
    order = f"/api/orders/{people.order.pk}/stream"
    reply = await asked(strict, order, people.client, at="192.0.2.1")
    assert (reply.status, reply.json()["error"]["code"]) == (429, "too_many")
    assert await let_in(strict, people.booster) == 0, "nobody else waits, from the same address either"


async def test_who_has_offended_may_say_a_tenth_at_once(strict: Server) -> None:
    people = await sync_to_async(cast)()
    pings = frame(b'{"type":"ping","n":1}') * 300
    heard = []
    for user in (people.client, people.client, people.booster):
        session = await sync_to_async(session_of)(user)
        _, body = await spoken(strict, handshake(strict, ORDERS, session=session, protocol=SYNC), pings)
        frames = list(Frames().feed(body))
        heard.append(sum(b'"pong"' in data for opcode, data in frames if opcode == TEXT))
        assert [int.from_bytes(data[:2]) for opcode, data in frames if opcode == CLOSE] == [4429]
    assert heard == [250, 25, 250], "nobody else is held to it"


async def test_the_rest_does_not_count(strict: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.other_client)
    for _ in range(4):
        assert await code_of(strict, f"{ORDERS}{people.order.pk}/", at="192.0.2.2", session=session) == 4404
        assert await offend(strict, people.other_client, frame(b"\x0f\xa0", CLOSE)) == 1000
    assert await let_in(strict, people.other_client) == 0
