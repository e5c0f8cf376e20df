"""Who floods a socket is closed with a code, and nobody else notices: fragments, pings, bombs, giants. Both servers."""

import asyncio
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets
from asgiref.sync import sync_to_async

from tests.engines import child_environment
from tests.people import Cast, cast
from tests.server import PATIENCE, Server, Uvicorn, running, session_of
from tests.untouched import nothing_changes
from tests.wire import BINARY, CLOSE, PING, PONG, Frames, frame, handshake, rest_of

DIALECTS = pytest.mark.parametrize("protocol", ["", "order-sync.v1"], ids=["plain", "sync"])
GIANT = bytes([0x81, 0xFF]) + (2**62).to_bytes(8) + b"\0\0\0\0"
"""The head of a text of 2^62 bytes."""


@pytest.fixture(scope="module", params=[Server, Uvicorn], ids=["daphne", "uvicorn"])
def house(request: pytest.FixtureRequest, db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), child_environment(), request.param) as server:
        yield server
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


def deflated(size: int) -> bytes:
    """Return a compressed text frame of ``size`` zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(b"0" * size) + packer.flush(zlib.Z_SYNC_FLUSH)
    made = frame(data.removesuffix(b"\0\0\xff\xff"))
    return bytes([made[0] | 0x40]) + made[1:]


async def flooded(server: Server, people: Cast, protocol: str, said: bytes, extension: str = "") -> tuple[bytes, int]:
    """Open a socket, say ``said`` for as long as it is taken, read to the end; return the head and the close code."""
    session = await sync_to_async(session_of)(people.client)
    opened = handshake(server, f"/ws/orders/{people.order.pk}/", session=session, protocol=protocol)
    if extension:
        opened = opened[:-2] + f"Sec-WebSocket-Extensions: {extension}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        async with asyncio.timeout(PATIENCE * 2):
            writer.write(opened)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 101 " in head
            sending = asyncio.create_task(poured(writer, said))
            frames, codes = Frames(), []
            while not codes and (data := await rest_of(reader)):
                codes = [int.from_bytes(payload[:2]) for opcode, payload in frames.feed(data) if opcode == CLOSE]
            sending.cancel()
            return head, next(iter(codes), 0)
    finally:
        writer.close()


async def poured(writer: asyncio.StreamWriter, said: bytes) -> None:
    try:
        for at in range(0, len(said), 65536):
            writer.write(said[at : at + 65536])
            await writer.drain()
    except OSError:
        pass  # that is what should happen


@DIALECTS
async def test_a_giant_is_refused_by_its_head(house: Server, protocol: str) -> None:
    people = await sync_to_async(cast)()
    async with nothing_changes(house, people):
        for said in (GIANT, frame(b"x" * 65_537, BINARY), frame(b"x" * 5_000_000)):
            _, code = await flooded(house, people, protocol, said)
            assert code == 1009


@DIALECTS
async def test_compression_is_bounded_or_not_offered(house: Server, protocol: str) -> None:
    people = await sync_to_async(cast)()
    async with nothing_changes(house, people):
        head, code = await flooded(house, people, protocol, deflated(64_000_000), "permessage-deflate")
        assert b"permessage-deflate" not in head
        assert code == 1002


async def test_where_compression_is_on_a_bomb_does_not_unfold(db: None, tmp_path: Path) -> None:
    """Stock options of uvicorn, but for the size: 64 MB fit into 62 KB."""
    people = await sync_to_async(cast)()
    gateway = type("Compressing", (Uvicorn,), {"options": ("--ws", "websockets", "--ws-max-size", "65536")})
    with running(tmp_path, child_environment(), gateway) as server:
        async with nothing_changes(server, people):
            head, code = await flooded(server, people, "", deflated(60_000_000), "permessage-deflate")
            assert b"permessage-deflate" in head
            assert code == 1009


FLOODS = {
    "empty fragments": b"\x01\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 400_000,
    "pings": frame(b"x" * 125, PING) * 50_000,
    "empty pings": frame(b"", PING) * 400_000,
    "pongs": frame(b"", PONG) * 400_000,
}


@DIALECTS
@pytest.mark.parametrize("what", FLOODS)
async def test_what_is_no_message_is_limited_too(house: Server, protocol: str, what: str) -> None:
    if isinstance(house, Uvicorn):
        pytest.skip("uvicorn does not limit it: docs/how-to/uvicorn.md")
    people = await sync_to_async(cast)()
    async with nothing_changes(house, people):
        _, code = await flooded(house, people, protocol, FLOODS[what])
        assert code == 4429


@DIALECTS
@pytest.mark.parametrize("what", ["nothing", "a letter", "16 KiB"])
async def test_too_many_messages_are_closed_with_4429(house: Server, protocol: str, what: str) -> None:
    people = await sync_to_async(cast)()
    said = {
        "nothing": frame(b'{"type":""}'),
        "a letter": frame(b'{"type":"x"}'),
        "16 KiB": frame(b'{"type":"' + b"x" * 16_000 + b'"}'),
    }[what]
    async with nothing_changes(house, people):
        _, code = await flooded(house, people, protocol, said * 5_000)
        assert code == 4429


async def test_a_message_in_many_parts_is_taken(house: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    async with websockets.connect(
        f"{house.ws_url}/ws/orders/",
        additional_headers={"Cookie": f"sessionid={session}"},
        origin=websockets.Origin(house.url),
        subprotocols=[websockets.Subprotocol("order-sync.v1")],
    ) as socket:
        async with asyncio.timeout(PATIENCE):
            assert '"welcome"' in str(await socket.recv())
            await socket.send(['{"type":', '"pi', "", 'ng","n":', *[""] * 100, "7}"])
            assert await socket.recv() == '{"type":"pong","n":7}'


async def test_what_comes_before_the_answer_is_no_second_handshake(db: None, tmp_path: Path) -> None:
    """The application takes its time to accept; meanwhile bytes come that look like the end of a head."""
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    with running(tmp_path, child_environment(), application="tests.mute:hesitant") as server:
        opened = handshake(server, "/ws/orders/1/", session=session)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(PATIENCE):
            writer.write(opened)
            await asyncio.sleep(0.2)
            writer.write(frame(b"\r\n\r\n" + opened))
            await asyncio.sleep(0.2)
            writer.write(frame(b"7", PING))
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            frames: list[tuple[int, bytes]] = []
            feed = Frames()
            while (PONG, b"7") not in frames:
                data = await rest_of(reader)
                assert data, frames
                frames += feed.feed(data)
        writer.close()
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-3000:]


async def held(server: Server, said: bytes, *, path: str, session: str) -> asyncio.StreamWriter:
    """Open a socket that says ``said`` and no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(handshake(server, path, session=session, protocol="order-sync.v1"))
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    await poured(writer, said)
    return writer


async def test_unfinished_messages_of_some_do_not_close_who_comes_with_his_own(house: Server) -> None:
    """2 MiB of them are kept a process: whoever holds his longest gives way, and who was told to leave holds none."""
    if isinstance(house, Uvicorn):
        pytest.skip("uvicorn keeps them for each by itself")
    people = await sync_to_async(cast)()
    villain = await sync_to_async(session_of)(people.other_client)
    unfinished = frame(b"x" * 52_000)[:-1]  # forty of them leave 17 kB
    endless = bytes([0x81, 0xFF]) + (2**40).to_bytes(8) + b"\0\0\0\0" + b"x" * 3_000_000
    have = {"epoch": "another", "versions": {str(10**11 + number): 1 for number in range(2000)}}
    said = {"type": "subscribe", "id": "a", "topic": f"order:{people.order.pk}", "have": have}
    long = frame(json.dumps(said).encode())
    async with nothing_changes(house, people):
        writers = [await held(house, unfinished, path="/ws/orders/", session=villain) for _ in range(40)]
        writers += [await held(house, endless, path="/ws/nothing/", session=villain) for _ in range(3)]
        session = await sync_to_async(session_of)(people.client)
        opened = handshake(house, "/ws/orders/", session=session, protocol="order-sync.v1")
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        async with asyncio.timeout(PATIENCE):
            writer.write(opened)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(long[:-1])
            await asyncio.sleep(0.1)  # so that it is held for a moment
            writer.write(long[-1:])
            heard, frames = b"", Frames()
            while b'"synced"' not in heard:
                data = await rest_of(reader)
                assert data, heard
                for opcode, payload in frames.feed(data):
                    assert opcode != CLOSE, payload
                    heard += payload
        for one in (*writers, writer):
            one.close()


async def test_a_body_that_is_too_large_is_not_read(house: Server) -> None:
    if isinstance(house, Uvicorn):
        pytest.skip("Django's DATA_UPLOAD_MAX_MEMORY_SIZE holds there: docs/how-to/uvicorn.md")
    people = await sync_to_async(cast)()
    head = f"POST /api/orders/1/claim HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\nContent-Length: 500000000\r\n\r\n"
    async with nothing_changes(house, people):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        async with asyncio.timeout(PATIENCE):
            writer.write(head.encode())
            sending = asyncio.create_task(poured(writer, b"x" * 5_000_000))
            answer = await rest_of(reader)
            sending.cancel()
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:100]
        writer.close()
