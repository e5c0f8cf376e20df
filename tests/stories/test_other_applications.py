"""What an ASGI application may do with a socket, ours or another, under our subclass of Daphne's server."""

import asyncio
import json
import socket
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from tests.engines import child_environment
from tests.knocking import entered
from tests.people import cast
from tests.server import PATIENCE, Server, running
from tests.streams import request
from tests.wire import frame, handshake, spoken


async def test_a_refusal_needs_no_headers(db: None, tmp_path: Path) -> None:
    with running(tmp_path, child_environment(), application="tests.mute:denying") as server:
        head, body = await spoken(server, handshake(server, "/ws/orders/1/"))
    assert head.startswith(b"HTTP/1.1 418 ")
    assert body == b""
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("what", ["socket", "page"])
async def test_who_waits_for_a_reader_goes_on_when_the_line_is_cut(db: None, tmp_path: Path, what: str) -> None:
    """The reader takes nothing; on a socket he begins a message, and is left for it."""
    impatient = {"handshake_seconds": 1.0, "stall_seconds": 1.0}
    with running(tmp_path, child_environment(), application="tests.mute:pouring", **impatient) as server:
        said = request(server, "/much/")
        if what == "socket":
            said = handshake(server, "/ws/orders/1/") + frame(b"x")[:1]
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(line, ("127.0.0.1", server.port))
        await loop.sock_sendall(line, said)
        async with asyncio.timeout(PATIENCE * 2):
            while "it goes on" not in server.log.read_text():
                await asyncio.sleep(0.05)
        line.close()
    assert "took too long" not in server.log.read_text()


async def test_what_is_said_may_be_longer_than_what_is_heard(standing_server: Server) -> None:
    """Above ``SUBSCRIBE_BYTES`` a client is not listened to; the server's own frames are as long as they are."""
    people = await sync_to_async(cast)()
    held = {str(10**11 + number): 1 for number in range(2000)}
    async with entered(standing_server, "/ws/orders/", people.client, at="127.0.0.1") as watch:
        have = {"epoch": (await watch.next())["epoch"], "versions": held}
        await watch.socket.send(json.dumps({"type": "subscribe", "id": "a", "topic": "orders:mine", "have": have}))
        while (said := await watch.next())["type"] != "board":
            assert said["type"] != "synced", "it was lost"
    assert {str(gone["order_id"]) for gone in said["removed"]} == set(held)
    assert len(json.dumps(said)) > 80_000
