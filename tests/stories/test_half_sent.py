"""What is begun and not ended is left, however slowly it goes on: handshakes, requests, messages. Under Daphne."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import product

import pytest
from asgiref.sync import sync_to_async

from tests.engines import child_environment
from tests.people import Cast, cast
from tests.server import PATIENCE, Server, running, session_of
from tests.streams import head_of, request
from tests.untouched import nothing_changes
from tests.wire import BINARY, CLOSE, Frames, frame, handshake, rest_of

SECONDS = 1.0


@pytest.fixture(scope="module")
def hurried(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that gives a second for each request and message."""
    with running(tmp_path_factory.mktemp("server"), child_environment(), handshake_seconds=SECONDS) as server:
        yield server
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


@asynccontextmanager
async def line_to(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the line is closed."""
    found = b""
    async with asyncio.timeout(PATIENCE):
        while data := await rest_of(reader):
            found += data
    return found


def codes_in(data: bytes) -> list[int]:
    """Return the codes of the close frames among the frames of ``data``."""
    return [int.from_bytes(payload[:2]) for opcode, payload in Frames().feed(data) if opcode == CLOSE]


async def trickle(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send ``data`` a byte at a time, ten a second, for as long as somebody takes it."""
    for byte in data:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.1)


def begun(server: Server, people: Cast) -> dict[str, bytes]:
    """Return requests without their end."""
    whole = handshake(server, f"/ws/orders/{people.order.pk}/")
    post = f"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n".encode()
    return {
        "nothing": b"",
        "a byte": b"G",
        "half a first line": whole[:9],
        "a first line": whole[: whole.index(b"\r\n") + 2],
        "half the headers": whole[: len(whole) // 2],
        "all but the last line end": whole[:-2],
        "no body": post + b"Content-Length: 5000\r\n\r\n",
        "half a body": post + b"Content-Length: 5000\r\n\r\n" + b"a" * 2000,
        "a chunk without an end": post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    }


async def test_half_a_request_is_left(hurried: Server) -> None:
    people = await sync_to_async(cast)()

    async def left(what: str, data: bytes) -> None:
        async with line_to(hurried) as (reader, writer):
            writer.write(data)
            answer = await rest(reader)
            assert answer.startswith(b"HTTP/1.1 408 "), (what, answer)

    async with nothing_changes(hurried, people):
        await asyncio.gather(*(left(what, data) for what, data in begun(hurried, people).items()))


@pytest.mark.parametrize("what", ["headers", "one endless header", "body"])
async def test_who_goes_on_slowly_is_left_too(hurried: Server, what: str) -> None:
    """A byte every tenth of a second renews nothing: he is left while he sends."""
    people = await sync_to_async(cast)()
    endless = {
        "headers": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 100,
        "one endless header": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 500,
        "body": b"z" * 500,
    }[what]
    async with nothing_changes(hurried, people), line_to(hurried) as (reader, writer):
        if what == "body":
            writer.write(b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n")
        sending = asyncio.create_task(trickle(writer, endless))
        answer = await rest(reader)
        assert not sending.done(), "he had said it all"
        sending.cancel()
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_the_next_request_of_a_line_is_timed_as_well(hurried: Server) -> None:
    async with line_to(hurried) as (reader, writer):
        writer.write(request(hurried, "/healthz") + b"GET /heal")
        async with asyncio.timeout(PATIENCE):
            status, headers = await head_of(reader)
            await reader.readexactly(int(headers["content-length"]))
        assert status == 200
        assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")


async def test_a_line_may_rest_between_two_requests(hurried: Server) -> None:
    async with line_to(hurried) as (reader, writer):
        for _ in range(2):
            writer.write(request(hurried, "/healthz"))
            async with asyncio.timeout(PATIENCE):
                status, headers = await head_of(reader)
                await reader.readexactly(int(headers["content-length"]))
            assert status == 200
            await asyncio.sleep(SECONDS * 2)


async def test_a_large_body_has_the_time_that_it_needs(hurried: Server) -> None:
    size, parts = 128 * 1024, 16
    async with line_to(hurried) as (reader, writer):
        head = f"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1:{hurried.port}\r\nContent-Length: {size}\r\n\r\n"
        writer.write(head.encode())
        for _ in range(parts):
            writer.write(b"a" * (size // parts))
            await asyncio.sleep(SECONDS * 2 / parts)
        async with asyncio.timeout(PATIENCE):
            status, _ = await head_of(reader)
        assert status == 403, "there is no CSRF token in it"


HALVES = {
    "half a message": frame(b"x" * 6_000)[:-1],
    "half a header": frame(b"x" * 300)[:3],
    "a byte": frame(b"x")[:1],
    "a fragment": b"\x01\x80\0\0\0\0",  # the first part of a text, which is empty
}


async def test_half_a_message_is_left(hurried: Server) -> None:
    """In both dialects, and whether it comes later or with the handshake; all at once, for each takes its seconds."""
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)

    async def left(what: str, protocol: str, with_handshake: bool) -> None:
        opened = handshake(hurried, f"/ws/orders/{people.order.pk}/", session=session, protocol=protocol)
        async with line_to(hurried) as (reader, writer):
            writer.write(opened + (HALVES[what] if with_handshake else b""))
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
            assert b"101 Switching" in head, (what, protocol, with_handshake)
            writer.write(b"" if with_handshake else HALVES[what])
            assert codes_in(await rest(reader)) == [4408], (what, protocol, with_handshake)

    async with nothing_changes(hurried, people):
        await asyncio.gather(*(left(*each) for each in product(HALVES, ("", "order-sync.v1"), (False, True))))


async def test_a_message_that_goes_on_slowly_is_left_too(hurried: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    async with nothing_changes(hurried, people), line_to(hurried) as (reader, writer):
        writer.write(handshake(hurried, f"/ws/orders/{people.order.pk}/", session=session))
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n\r\n")
        sending = asyncio.create_task(trickle(writer, frame(b"x" * 1_000)))
        assert codes_in(await rest(reader)) == [4408]
        assert not sending.done(), "he had said it all"
        sending.cancel()


async def test_a_long_message_has_the_time_that_a_slow_line_needs(hurried: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    said = {"type": "subscribe", "id": "a", "topic": f"order:{people.order.pk}", "unknown": "x" * 50_000}
    long, parts = frame(json.dumps(said).encode()), 8
    async with line_to(hurried) as (reader, writer):
        writer.write(handshake(hurried, "/ws/orders/", session=session, protocol="order-sync.v1"))
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n\r\n")
        size = len(long) // parts + 1
        for at in range(0, len(long), size):
            writer.write(long[at : at + size])
            await asyncio.sleep(SECONDS * 5 / parts)
        heard, frames = b"", Frames()
        async with asyncio.timeout(PATIENCE):
            while b'"synced"' not in heard:
                for opcode, payload in frames.feed(await reader.readexactly(1)):
                    assert opcode != CLOSE, payload
                    heard += payload


async def test_many_whole_messages_are_not_half_a_one(hurried: Server) -> None:
    """Each read may end in the middle of a message: what counts is how long one message takes."""
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    async with line_to(hurried) as (reader, writer):
        writer.write(handshake(hurried, f"/ws/orders/{people.order.pk}/", session=session))
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n\r\n")
        said = frame(b"\0" * 100, BINARY)
        half = len(said) // 2
        writer.write(said[:half])
        for _ in range(50):
            await asyncio.sleep(SECONDS * 5 / 50)
            writer.write(said[half:] + said[:half])
        writer.write(said[half:] + frame((1000).to_bytes(2), CLOSE))
        assert codes_in(await rest(reader)) == [1000]
