"""A server that is told to stop says goodbye to every socket, and the next one has the state (invariant I17)."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from orders.services import order_write_note
from tests.engines import child_environment
from tests.people import cast
from tests.server import PATIENCE, Server, running, session_of, unbroken
from tests.wire import handshake

pytestmark = pytest.mark.older

note = sync_to_async(order_write_note)


@pytest.fixture(scope="module")
def stopping(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the stories stop and start again."""
    with running(tmp_path_factory.mktemp("server"), child_environment()) as server:
        yield server


async def ended(server: Server) -> bool:
    """Send SIGTERM; return whether the server went by itself. Twisted ends its process by the signal that it took."""
    assert server.child is not None
    server.child.send_signal(signal.SIGTERM)
    code = await asyncio.to_thread(server.child.wait, PATIENCE)
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-3000:]
    return code in (0, -signal.SIGTERM)


@pytest.mark.parametrize("command", ["python -m daphne", "daphne"])
async def test_sockets_are_told_to_come_back_and_find_what_they_missed(stopping: Server, command: str) -> None:
    if command == "daphne":
        stopping.stop()
        stopping.daphne = [Path(sys.executable).with_name("daphne")]
        stopping.start()
    people = await sync_to_async(cast)()
    path = f"/ws/orders/{people.order.pk}/"
    async with AsyncExitStack() as stack:
        viewers = [people.client, people.booster, people.manager, people.admin]
        watches = [await stack.enter_async_context(stopping.watch(path, viewer)) for viewer in viewers]
        *_, last = [(await watch.next())["version"] for watch in watches]
        mute, writer = await asyncio.open_connection("127.0.0.1", stopping.port)  # takes no goodbye and keeps nobody
        writer.write(handshake(stopping, path, session=await sync_to_async(session_of)(people.client)))
        await mute.readuntil(b"\r\n\r\n")
        end = asyncio.create_task(ended(stopping))
        assert [await watch.closed() for watch in watches] == [4012] * 4
        assert await end
        writer.close()
    await note(order_id=people.order.pk, note="while it was down", by=people.client)
    stopping.start()
    async with stopping.watch(path, people.client) as watch:
        frame = await watch.next()
        assert (frame["version"], frame["note"], frame["prev"]) == (last + 1, "while it was down", None)
        await note(order_id=people.order.pk, note="and after", by=people.client)
        assert (await watch.until(last + 2))["note"] == "and after"
        unbroken(watch.frames)


async def test_a_server_without_sockets_ends_as_well(stopping: Server) -> None:
    assert await ended(stopping)
    stopping.start()
