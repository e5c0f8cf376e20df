"""What ``docs/how-to/uvicorn.md`` says is not as under Daphne, row by row.

Where one of these fails because uvicorn bounds more than it did, that page has to say so.
"""

import asyncio
import re
import shlex
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from tests.engines import child_environment
from tests.people import Cast, cast
from tests.server import PATIENCE, ROOT, Server, Uvicorn, running, session_of
from tests.streams import request, source
from tests.wire import CLOSE, PING, PONG, TEXT, Frames, frame, handshake, rest_of

PAGE = (ROOT / "docs/how-to/uvicorn.md").read_text()
LONG = 1.0
"""Seconds: ten times what the server is told to wait for."""


@pytest.fixture(scope="module")
def server(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose bounds, where it kept them, would end each row at once."""
    folder, bounds = tmp_path_factory.mktemp("server"), {"handshake_seconds": 0.1, "inbound_burst": 20}
    with running(folder, child_environment(), Uvicorn, **bounds, inbound_rate=0.001) as server:
        yield server


async def line_to(server: Server, said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(said)
    return reader, writer


async def socket_on(server: Server, people: Cast) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    session = await sync_to_async(session_of)(people.client)
    opened = handshake(server, "/ws/orders/", session=session, protocol="order-sync.v1")
    reader, writer = await line_to(server, opened)
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def status_of(server: Server, said: bytes) -> int:
    reader, writer = await line_to(server, said)
    first = await reader.readuntil(b"\r\n")
    writer.close()
    return int(first.split()[1])


async def read_to(reader: asyncio.StreamReader, wanted: tuple[int, bytes]) -> None:
    """Read on to the frame ``wanted``."""
    frames = Frames()
    while True:
        data = await rest_of(reader)
        assert data, "the line was ended"
        for opcode, payload in frames.feed(data):
            assert opcode != CLOSE, payload
            if (opcode, payload) == wanted:
                return


async def half_a_handshake(server: Server, people: Cast) -> None:
    whole = handshake(server, "/ws/orders/1/")
    reader, writer = await line_to(server, whole[:-2])
    await asyncio.sleep(LONG)
    writer.write(whole[-2:])
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def a_large_body(server: Server, people: Cast) -> None:
    """It is taken to its end, and what is answered is about what is in it."""
    said = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"csrftoken={'a' * 32}"}
    whole = request(server, "/accounts/login/", method="POST", headers=said, body=b"x=" + b"y" * 30_000_000)
    reader, writer = await line_to(server, whole[:-1])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readuntil(b"\r\n"), LONG)
    writer.write(whole[-1:])
    assert b" 400 " in await reader.readuntil(b"\r\n")
    writer.close()


async def half_a_message(server: Server, people: Cast) -> None:
    reader, writer = await socket_on(server, people)
    whole = frame(b'{"type":"ping","n":7}')
    writer.write(whole[:-1])
    await asyncio.sleep(LONG)
    writer.write(whole[-1:])
    await read_to(reader, (TEXT, b'{"type":"pong","n":7}'))
    writer.close()


async def pings_and_fragments(server: Server, people: Cast) -> None:
    reader, writer = await socket_on(server, people)
    writer.write(frame(b"x", PING) * 500 + frame(b"", PONG) * 500)
    writer.write(b"\x01\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 500 + frame(b'{"type":"ping","n":8}', 0))
    await read_to(reader, (TEXT, b'{"type":"pong","n":8}'))
    writer.close()


async def a_header_that_is_no_ascii(server: Server, people: Cast) -> None:
    for name in (b"Sec-WebSocket-Protocol", b"X-Forwarded-For", b"X-Other"):
        line = name + b": \xff\xfe\r\n\r\n"
        assert await status_of(server, handshake(server, "/ws/orders/1/")[:-2] + line) == 500
        assert await status_of(server, request(server, "/healthz")[:-2] + line) == 200
    assert "UnicodeEncodeError: 'latin-1'" in server.log.read_text()


ROWS: dict[str, Callable[[Server, Cast], Awaitable[None]]] = {
    "half a handshake, a request that goes on slowly": half_a_handshake,
    "a body of any size": a_large_body,
    "half a message": half_a_message,
    "pings, pongs, empty fragments without end": pings_and_fragments,
    "a handshake with a header that is no ASCII": a_header_that_is_no_ascii,
}


@pytest.mark.parametrize("row", ROWS)
async def test_what_is_bounded_under_daphne_is_not(server: Server, row: str) -> None:
    people = await sync_to_async(cast)()
    async with asyncio.timeout(PATIENCE):
        await ROWS[row](server, people)


async def test_sigterm_ends_sockets_at_once_and_the_rest_in_time(db: None, tmp_path: Path) -> None:
    """A stream would keep the server for as long as it lasts, and half a body for ever."""
    people = await sync_to_async(cast)()
    path = f"/orders/{people.order.pk}"
    with running(tmp_path, child_environment(), Uvicorn) as server:
        assert server.child is not None
        half = request(server, "/accounts/login/", method="POST", body=b"x" * 5000)[:-1]
        _, writer = await line_to(server, half)
        async with (
            server.watch(f"/ws{path}/", people.client) as watch,
            source(server, f"/api{path}/stream", people.client) as stream,
        ):
            await watch.next()
            await stream.next()
            server.child.send_signal(signal.SIGTERM)
            assert await watch.closed() == 1012
            assert server.child.poll() is None, "it waits for the others"
            assert await asyncio.to_thread(server.child.wait, PATIENCE) == -signal.SIGTERM
            assert "goodbye" not in (await stream.reader.read()).decode()
        writer.close()
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-3000:]


def test_the_page_has_these_rows_and_this_command() -> None:
    table = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert set(table) == {*ROWS, "SIGTERM"}
    command = re.findall(r"^uvicorn (.*) gameBoosterss\.asgi:application$", PAGE, re.MULTILINE)
    assert [set(shlex.split(options)) for options in command] == [{*Uvicorn.options} - {"--no-access-log"}]
