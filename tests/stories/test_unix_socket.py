"""Daphne on a UNIX socket, as a proxy beside it would have it: the same sockets, in the same bounds."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import websockets
from asgiref.sync import sync_to_async

from accounts.models import User
from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_report
from tests.engines import child_environment
from tests.people import cast
from tests.server import PATIENCE, Server, Watch, running, session_of
from tests.wire import frame, handshake, rest_of


class Beside(Server):
    """A server that listens on a UNIX socket too."""

    @property
    def path(self) -> str:
        return str(self.log.with_name("s"))

    @property
    def command(self) -> Sequence[str | Path]:
        return [*super().command, "-u", self.path]

    @asynccontextmanager
    async def watch_beside(self, path: str, user: User | None) -> AsyncIterator[Watch]:
        headers = {"Cookie": f"{self.cookie}={await sync_to_async(session_of)(user)}"} if user else {}
        origin = websockets.Origin(self.url)
        uri = self.ws_url + path
        async with websockets.unix_connect(self.path, uri, additional_headers=headers, origin=origin) as socket:
            yield Watch(socket)


@pytest.fixture(scope="module")
def beside(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    with running(tmp_path_factory.mktemp("u"), child_environment(), gateway=Beside) as server:
        assert isinstance(server, Beside)
        yield server
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


async def test_a_stranger_gets_nothing(beside: Beside) -> None:
    people = await sync_to_async(cast)()
    path = f"/ws/orders/{people.order.pk}/"
    for stranger, code in [(None, 4401), (people.other_client, 4404)]:
        async with beside.watch_beside(path, stranger) as watch:
            assert (await watch.closed(), watch.frames) == (code, [])


async def test_a_change_is_seen(beside: Beside) -> None:
    people = await sync_to_async(cast)()
    async with beside.watch_beside(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        first = await watch.next()
        await sync_to_async(division_order_report)(
            order_id=people.order.pk, reached=Position("Gold", 1, 0), by=people.booster
        )
        assert (await watch.next())["version"] == first["version"] + 1


async def test_many_who_say_much_at_once_are_answered(beside: Beside) -> None:
    """More than one read of a line, from several lines at once: each waits for its turn, and nothing is lost."""
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    opened = handshake(beside, "/ws/orders/", session=session, protocol="order-sync.v1")
    said = [frame(b'{"type":"ping","n":%d,"x":"%s"}' % (number, b"x" * 2000)) for number in range(10)]

    async def answers() -> bytes:
        reader, writer = await asyncio.open_unix_connection(beside.path)
        async with asyncio.timeout(PATIENCE):
            writer.write(opened + b"".join(said))
            heard = b""
            while b'"n":9' not in heard:
                data = await rest_of(reader)
                assert data, heard
                heard += data
        writer.close()
        return heard

    for heard in await asyncio.gather(*(answers() for _ in range(5))):
        assert [b'"n":%d' % number in heard for number in range(10)] == [True] * 10
