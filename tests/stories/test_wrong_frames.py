"""Thousands of wrong frames through real sockets: each socket goes on or is closed with a code, and nothing changes."""

import asyncio
import json
import os
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

from realtime.models import Event
from tests.engines import child_environment
from tests.mutations import Mutations
from tests.people import Cast, cast
from tests.server import PATIENCE, Server, Uvicorn, running, session_of
from tests.streams import request
from tests.untouched import nothing_changes
from tests.wire import CLOSE, TEXT, Frames, frame, handshake, rest_of

BATCH = 50
AT_ONCE = 4
CODES = {1002, 1007, 1009, 4400, 4401}
"""Wrong bytes, no UTF-8, too big, no frame, a ticket that is none."""


@pytest.fixture(scope="module", params=[Server, Uvicorn], ids=["daphne", "uvicorn"])
def house(request: pytest.FixtureRequest, db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets its clients talk."""
    folder, much = tmp_path_factory.mktemp("server"), {"inbound_burst": 10**9, "inbound_rate": 10.0**9}
    with running(folder, child_environment(), request.param, **much) as server:
        yield server
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


class Talker:
    """One socket after the other, each of them told wrong frames until it is closed."""

    def __init__(self, server: Server, opened: bytes, mutations: Mutations, *, speaks: bool) -> None:
        self.server, self.opened, self.mutations, self.speaks = server, opened, mutations, speaks
        self.said = 0
        self.codes: list[int] = []

    async def talk(self, many: int) -> None:
        while self.said < many:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
            try:
                async with asyncio.timeout(PATIENCE * 4):
                    writer.write(self.opened)
                    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
                    await self._converse(reader, writer, many)
            finally:
                writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, many: int) -> None:
        """Say a batch of objects, be answered behind it, say something worse; until the socket is closed."""
        frames = Frames()
        while self.said < many:
            make = self.mutations
            said = b"".join(frame(make.object()) for _ in range(BATCH))
            if not await self._is_answered(said, reader, writer, frames):
                return
            self.said += BATCH
            self.said += 1
            if not await self._is_answered(make.worse(), reader, writer, frames):
                return

    async def _is_answered(
        self, said: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: Frames
    ) -> bool:
        """Say ``said``, and return whether the socket is open after it: then it answers, in the plain dialect a ping of
        the protocol's. All is one write: a second one may find the line closed, and asyncio forgets what came before.
        """
        token = str(self.said).encode()
        writer.write(said + (frame(b'{"type":"ping","n":' + token + b"}") if self.speaks else frame(token, 0x9)))
        wanted = (TEXT, b'{"type":"pong","n":' + token + b"}") if self.speaks else (0xA, token)
        while data := await rest_of(reader):
            came = list(frames.feed(data))  # all of it: a generator that is left keeps no rest
            codes = [int.from_bytes(payload[:2]) for opcode, payload in came if opcode == CLOSE]
            self.codes += codes
            if codes or wanted in came:
                return not codes
        raise AssertionError(f"a socket was cut without a code after {self.said} frames")


async def told(server: Server, people: Cast, many: int, seed: str) -> None:
    topics = [f"order:{people.order.pk}", "orders:all", "orders:mine", "orders:available", "order:987654321"]
    talkers = []
    for number in range(AT_ONCE):
        who = [people.client, people.booster, people.manager, people.other_booster][number % 4]
        session = await sync_to_async(session_of)(who)
        protocol = "" if number == 0 else "order-sync.v1"
        path = f"/ws/orders/{people.order.pk}/" if number < 2 else "/ws/orders/"
        opened = handshake(server, path, session=session, protocol=protocol)
        talkers.append(Talker(server, opened, Mutations(f"{seed} {number}", topics), speaks=bool(protocol)))
    await asyncio.gather(*(talker.talk(many // AT_ONCE) for talker in talkers))
    assert sum(talker.said for talker in talkers) >= many
    codes = {code for talker in talkers for code in talker.codes}
    assert codes <= CODES, seed
    assert 4400 in codes, "nothing was wrong enough"


@pytest.mark.parametrize("many", [5_000, pytest.param(50_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
async def test_wrong_frames_change_nothing(house: Server, many: int) -> None:
    """Both servers together: ten thousand, and with ``--long`` a hundred thousand that are others each time."""
    people = await sync_to_async(cast)()
    seed = "the same each time" if many == 5_000 else os.urandom(8).hex()
    print(f"seed: {seed}")
    async with nothing_changes(house, people):
        events = await sync_to_async(Event.objects.count)()
        await told(house, people, many, seed)
        assert await sync_to_async(Event.objects.count)() == events


async def test_wrong_requests_are_answered(house: Server) -> None:
    """Streams and polls: what is wrong in a query, a header or a body is the client's, never 500."""
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    make = Mutations("requests", [f"order:{people.order.pk}", "orders:mine"])
    order = f"/api/orders/{people.order.pk}"
    async with nothing_changes(house, people):
        asked = [
            request(house, f"{path}?{query}", session, headers={"Last-Event-ID": last, "Connection": "close"})
            for path in ("/api/orders/stream", f"{order}/state", f"{order}/events", "/api/orders/987654321/stream")
            for query in ("wait=NaN", "wait=1e999", "wait=-1", "after=%D9%A3", "limit=1e3", "topic=%00", "filter=[[[")
            for last in ("", "x" * 5_000, "a:b:c", "\x01", f"x:{2**70}", ":-1")
        ]
        token = "t" * 32
        headers = {"Cookie": f"csrftoken={token}", "X-CSRFToken": token, "Connection": "close"}
        headers["Content-Type"] = "application/json"
        for number in range(300):
            body = make.text() if number % 2 else make.object()
            asked.append(request(house, "/api/orders/sync", session, method="POST", headers=headers, body=body or b"{"))
        at_once = asyncio.Semaphore(16)
        statuses = await asyncio.gather(*(status_of(house, each, at_once) for each in asked))
    assert set(statuses) <= {200, 304, 400, 404}, {status: statuses.count(status) for status in set(statuses)}
    assert {200, 400, 404} <= set(statuses)


async def status_of(server: Server, asked: bytes, at_once: asyncio.Semaphore) -> int:
    async with at_once:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(asked)
                return int((await reader.readline()).split()[1])
        finally:
            writer.close()


def test_the_stock_has_all_kinds() -> None:
    """The generator is worth something: frames that are understood, that are refused, and that are none."""
    make = Mutations("kinds", ["order:1"])
    kinds = [json.loads(make.object()).get("type") for _ in range(2_000)]
    assert {"subscribe", "unsubscribe", "ping", "order.update"} <= {kind for kind in kinds if isinstance(kind, str)}
    assert any(not isinstance(kind, str) for kind in kinds)
    worse = [make.text() for _ in range(500)]
    assert len(set(worse)) > 300
