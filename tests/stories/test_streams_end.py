"""Event streams that are long, many, slow, left or ended: what they hold, and how their clients are told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from gameBoosterss.development.children import free_port
from orders.models import BaseOrder
from orders.services import order_write_note
from tests.engines import child_environment
from tests.people import cast
from tests.server import PATIENCE, Server, running, session_of
from tests.stories.test_drain import ended
from tests.streams import Source, ask, head_of, request, source

MANY = 120


@pytest.fixture(scope="module")
def brisk(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose streams are commented often, and cut off when they stall; behind GZip, as a project may be."""
    short = {"stream_comment_seconds": 0.5, "repair_seconds": 0.2, "stall_seconds": 2.0}
    with running(tmp_path_factory.mktemp("server"), child_environment(), **short) as server:
        yield server
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


@sync_to_async
def connections_of_servers() -> int:
    """Return how many connections others than this test have to its database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def threads_of(server: Server) -> int:
    return len(list(Path(f"/proc/{server.pid}/task").iterdir()))


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.05)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="connections are counted in PostgreSQL")
async def test_many_streams_and_waits_hold_no_thread_and_no_connection(brisk: Server) -> None:
    people = await sync_to_async(cast)()
    path = f"/api/orders/{people.order.pk}"
    session = await sync_to_async(session_of)(people.client)
    tag = (await ask(brisk, f"{path}/state", session=session)).headers["etag"]
    threads, connections = threads_of(brisk), await connections_of_servers()
    async with AsyncExitStack() as stack:
        opening = (source(brisk, f"{path}/stream", people.client) for _ in range(MANY))
        streams = await asyncio.gather(*map(stack.enter_async_context, opening))
        waits = [
            asyncio.create_task(ask(brisk, f"{path}/state?wait=25", session=session, headers={"If-None-Match": tag}))
            for _ in range(MANY)
        ]
        for stream in streams:
            await stream.frame()
        await eventually(lambda: threads_of(brisk) < threads + MANY / 4)
        async with asyncio.timeout(PATIENCE):
            while await connections_of_servers() > connections + MANY / 4:
                await asyncio.sleep(0.1)
        await sync_to_async(order_write_note)(order_id=people.order.pk, note="for all", by=people.client)
        for stream in streams:
            await stream.until("order.update", note="for all")
        assert {(await wait).json()["note"] for wait in waits if not wait.cancelled()} == {"for all"}


async def test_a_quiet_stream_is_kept_warm_and_nothing_holds_it_up(brisk: Server) -> None:
    people = await sync_to_async(cast)()
    gzip = {"Accept-Encoding": "gzip"}
    async with source(brisk, f"/api/orders/{people.order.pk}/stream", people.client, **gzip) as stream:
        await stream.frame()
        reading = asyncio.create_task(stream.next())
        await eventually(lambda: stream.comments >= 3)
        await sync_to_async(order_write_note)(order_id=people.order.pk, note="a word", by=people.client)
        event = await reading
        assert event is not None
        assert event.frame["note"] == "a word"


async def test_a_stream_is_rotated_and_resumed_without_a_gap(db: None, tmp_path: Path) -> None:
    people = await sync_to_async(cast)()
    short = {"stream_seconds": 1.0, "repair_seconds": 0.2}
    with running(tmp_path, child_environment(), **short) as server:
        path, last, held = f"/api/orders/{people.order.pk}/stream", "", 0
        for number in range(4):
            async with source(server, path, people.booster, last) as stream:
                await sync_to_async(order_write_note)(order_id=people.order.pk, note=f"{number}", by=people.client)
                await stream.rest()
                assert "goodbye" not in {event.type for event in stream.events}
                versions = [event.frame["version"] for event in stream.events]
                follows = stream.events[0].frame.get("prev", versions[0] - 1)
                assert follows == (held or None)
                held, last = versions[-1], stream.id
        assert held == await sync_to_async(head_version)(people.order)


def head_version(order: BaseOrder) -> int:
    from realtime.models import Stream

    return Stream.objects.get(topic=f"order.{order.pk}").version


@asynccontextmanager
async def standing_still(server: Server, path: str, session: str) -> AsyncIterator[asyncio.StreamReader]:
    """Open a stream with a small window; nobody reads of it."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)
    await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(sock=line, limit=4096)
    writer.write(request(server, path, session))
    await head_of(reader)
    try:
        yield reader
    finally:
        writer.close()


@sync_to_async
def written(order: BaseOrder, times: int) -> None:
    for number in range(times):
        BaseOrder.objects.filter(pk=order.pk).update(note=f"{number:04}" * 250)


@pytest.fixture
def patient(db: None, tmp_path: Path) -> Iterator[Server]:
    """A server that cuts off nobody in the time that writing takes on a busy machine."""
    with running(tmp_path, child_environment(), stall_seconds=120.0) as server:
        yield server


async def test_a_slow_reader_gets_newer_states_instead_of_his_backlog(patient: Server) -> None:
    people, times = await sync_to_async(cast)(), 1500
    path = f"/api/orders/{people.order.pk}/stream"
    session = await sync_to_async(session_of)(people.booster)
    async with standing_still(patient, path, session) as slow:
        async with source(patient, path, people.client) as quick:
            head = (await quick.frame())["version"] + times
            reading = asyncio.create_task(quick.until("order.update", version=head))
            await written(people.order, times)
            await reading
        stream = Source(200, {}, slow)
        await stream.until("order.update", version=head)
        assert len(stream.events) < times / 2, "he was sent his backlog"
        held = None
        for event in stream.events:
            assert event.frame.get("prev", event.frame["version"] - 1) == held
            held = event.frame["version"]


async def test_who_takes_nothing_is_cut_off_and_the_others_do_not_notice(brisk: Server) -> None:
    people, times = await sync_to_async(cast)(), 1500
    path = f"/api/orders/{people.order.pk}/stream"
    session = await sync_to_async(session_of)(people.booster)
    async with standing_still(brisk, path, session) as slow, source(brisk, path, people.client) as quick:
        head = (await quick.frame())["version"] + times
        reading = asyncio.create_task(quick.until("order.update", version=head))
        await written(people.order, times)
        await reading
        await asyncio.sleep(4)  # he is not heard of in this time
        stream = Source(200, {}, slow)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError, ValueError)):
            await stream.rest()
        assert stream.events[-1].frame["version"] < head
        await written(people.order, 1)
        assert await quick.until("order.update", version=head + 1)


async def test_streams_are_told_to_come_back_when_the_server_ends(db: None, tmp_path: Path) -> None:
    people = await sync_to_async(cast)()
    with running(tmp_path, child_environment()) as server:
        path = f"/api/orders/{people.order.pk}"
        tag = (await ask(server, f"{path}/state", people.client)).headers["etag"]
        async with (
            source(server, f"{path}/stream", people.client) as record,
            source(server, "/api/orders/stream?topic=all", people.manager) as board,
        ):
            await record.frame()
            await board.until("synced")
            known = {"If-None-Match": tag}
            wait = asyncio.create_task(ask(server, f"{path}/state?wait=25", people.client, headers=known))
            await asyncio.sleep(1)  # most likely it waits now; if not, it is refused, and the test says so
            end = asyncio.create_task(ended(server))
            for stream in (record, board):
                *_, goodbye = await stream.rest()
                assert (goodbye.type, goodbye.frame["code"], goodbye.frame["reconnect"]) == ("goodbye", 4012, True)
                assert stream.retry == goodbye.frame["retry_after_ms"]
            assert (await wait).status == 304
            assert await end


async def test_with_the_layer_gone_the_database_serves(db: None, tmp_path: Path) -> None:
    people = await sync_to_async(cast)()
    environment = child_environment() | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    with running(tmp_path, environment) as server:
        path = f"/api/orders/{people.order.pk}/stream"
        async with (
            source(server, path, people.booster) as record,
            source(server, "/api/orders/stream?topic=mine", people.booster) as board,
        ):
            await record.frame()
            await board.until("synced")
            await sync_to_async(order_write_note)(order_id=people.order.pk, note="without", by=people.client)
            await record.until("order.update", note="without")
            await board.until("order.update", note="without")
