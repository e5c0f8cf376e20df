"""A reader that stands still under Daphne: he is sent newer states, not a backlog, and holds up nobody else."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from orders.models import BaseOrder
from tests.engines import child_environment
from tests.people import Cast, cast
from tests.server import PATIENCE, Server, running, session_of, unbroken
from tests.wire import CLOSE, PING, PONG, TEXT, Frames, frame, handshake, rest_of

pytestmark = pytest.mark.older_long

UPDATES = 1500
BYTES_AT_MOST = 1_000_000
"""What Twisted, both kernels and the outbox may hold for a reader; all the frames are 2.5 MB."""


@pytest.fixture(scope="module")
def impatient(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that cuts off who takes nothing for two seconds, and lets anybody say what he likes."""
    folder: Path = tmp_path_factory.mktemp("server")
    with running(folder, child_environment(), stall_seconds=2.0, inbound_burst=1_000_000) as server:
        yield server


@asynccontextmanager
async def standing_still(
    server: Server, people: Cast, viewer: User
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a socket by hand with a small window; nobody reads of it."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)
    await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(sock=line, limit=4096)
    session = await sync_to_async(session_of)(viewer)
    writer.write(handshake(server, f"/ws/orders/{people.order.pk}/", session=session))
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader, writer
    finally:
        writer.close()


@sync_to_async
def written(order: BaseOrder) -> None:
    for number in range(UPDATES):
        BaseOrder.objects.filter(pk=order.pk).update(note=f"{number:04}" * 250)


async def test_he_is_brought_up_to_date_instead_of_to_his_backlog(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    async with (
        standing_still(standing_server, people, people.booster) as (slow, _),
        standing_server.watch(f"/ws/orders/{people.order.pk}/", people.client) as quick,
    ):
        head = (await quick.next())["version"] + UPDATES
        reading = asyncio.create_task(quick.until(head))
        await written(people.order)
        await reading
        frames, taken, raw = [], 0, Frames()
        async with asyncio.timeout(PATIENCE):
            while not frames or frames[-1]["version"] < head:
                data = await rest_of(slow)
                assert data, "he was cut off"
                taken += len(data)
                frames += [json.loads(payload) for opcode, payload in raw.feed(data) if opcode == TEXT]
        unbroken(frames)
        assert frames[-1]["note"] == f"{UPDATES - 1:04}" * 250
        assert taken < BYTES_AT_MOST, f"{taken} bytes waited for him, {len(frames)} frames"


async def test_who_takes_nothing_is_cut_off_and_the_others_do_not_notice(impatient: Server) -> None:
    people = await sync_to_async(cast)()
    async with (
        standing_still(impatient, people, people.booster) as (slow, _),
        impatient.watch(f"/ws/orders/{people.order.pk}/", people.client) as quick,
    ):
        head = (await quick.next())["version"] + UPDATES
        reading = asyncio.create_task(quick.until(head))
        await written(people.order)
        await reading
        await asyncio.sleep(4)  # he is not heard of in this time
        raw, codes = Frames(), []
        async with asyncio.timeout(PATIENCE):
            while data := await rest_of(slow):
                codes += [int.from_bytes(payload[:2]) for opcode, payload in raw.feed(data) if opcode == CLOSE]
        assert codes in ([], [4413]), "the line is cut before the close frame when he does not even take that"
        await sync_to_async(BaseOrder.objects.filter(pk=people.order.pk).update)(note="and on")
        assert (await quick.until(head + 1))["note"] == "and on"


ENDS = {
    "he closes": frame((1000).to_bytes(2), CLOSE),
    "he breaks the rules, and goes on": frame(b"", 3) * 2,
    "he is closed": b"",
}
"""What he says who takes nothing, and how his line ends then."""


@pytest.mark.parametrize("how", ENDS)
async def test_a_line_ends_whether_or_not_the_rest_is_taken(
    how: str, standing_server: Server, impatient: Server
) -> None:
    server = standing_server if ENDS[how] else impatient
    people = await sync_to_async(cast)()
    async with (
        standing_still(server, people, people.booster) as (_, writer),
        server.watch(f"/ws/orders/{people.order.pk}/", people.client) as quick,
    ):
        head = (await quick.next())["version"] + UPDATES
        reading = asyncio.create_task(quick.until(head))
        await written(people.order)
        await reading
        writer.write(ENDS[how])
        line = writer.get_extra_info("socket")
        async with asyncio.timeout(PATIENCE):
            while not line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):  # reset, and nothing was read of it
                await asyncio.sleep(0.05)


PINGS = 50_000


def unread(server: Server, client: int) -> int:
    """Return how many bytes of ``client``, a port, are on their way to the server or lie unread before it."""
    here, there = f"0100007F:{client:04X}", f"0100007F:{server.port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    queues = {(line[1], line[2]): [int(size, 16) for size in line[4].split(":")] for line in lines}
    return queues[here, there][0] + queues[there, here][1]


async def test_pings_are_answered_no_faster_than_he_takes_the_answers(impatient: Server) -> None:
    """RFC 6455 lets the answer to the last one stand for all. What is written of them does not pile up."""
    people = await sync_to_async(cast)()
    async with standing_still(impatient, people, people.booster) as (slow, writer):
        for number in range(PINGS):
            writer.write(frame(f"{number:05}".encode() * 25, PING))
            if number % 500 == 0:
                await writer.drain()
        client = writer.get_extra_info("sockname")[1]
        async with asyncio.timeout(PATIENCE):
            while writer.transport.get_write_buffer_size() or unread(impatient, client):
                await asyncio.sleep(0.05)
        taken, raw, answers = 0, Frames(), [b""]
        async with asyncio.timeout(PATIENCE):
            while answers[-1] != f"{PINGS - 1:05}".encode() * 25:
                data = await rest_of(slow)
                assert data, "he was cut off"
                taken += len(data)
                answers += [payload for opcode, payload in raw.feed(data) if opcode == PONG]
        assert taken < BYTES_AT_MOST, f"{taken} bytes waited for him, {len(answers)} answers"
