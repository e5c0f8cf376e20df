"""Who has no business here learns nothing, harms nobody, and leaves no trace (bad input of INVARIANTS; I20)."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets
from asgiref.sync import sync_to_async

from realtime.models import Event
from tests.engines import child_environment
from tests.people import Cast, cast
from tests.server import Server, running, session_of
from tests.untouched import nothing_changes
from tests.wire import BINARY, CLOSE, PING, PONG, TEXT, Frames, frame, handshake, spoken

REFUSAL_SECONDS = 1.0


@pytest.fixture(scope="module")
def patient_server(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its refusals leave after a time that cannot be taken for anything else."""
    with running(tmp_path_factory.mktemp("server"), child_environment(), refusal_seconds=REFUSAL_SECONDS) as server:
        yield server
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


def not_there(people: Cast) -> dict[str, str]:
    order = people.order.pk
    return {
        "missing": "/ws/orders/987654321/",
        "zero": "/ws/orders/0/",
        "negative": "/ws/orders/-1/",
        "too large": f"/ws/orders/{2**63}/",
        "huge": f"/ws/orders/{'9' * 400}/",
        "a float": "/ws/orders/1e3/",
        "Arabic digits": "/ws/orders/%D9%A3/",
        "leading zero": f"/ws/orders/0{order}/",
        "with a sign": f"/ws/orders/+{order}/",
        "with a space": f"/ws/orders/%20{order}/",
        "with a line end": f"/ws/orders/{order}%0A/",
        "with a zero byte": f"/ws/orders/{order}%00/",
        "not UTF-8": "/ws/orders/%FF/",
        "no key": "/ws/orders//",
        "SQL": "/ws/orders/1%20OR%201=1/",
        "no slash at the end": f"/ws/orders/{order}",
        "more behind": f"/ws/orders/{order}/more/",
        "unknown feed": "/ws/users/1/",
        "unknown": "/ws/nothing/here",
        "the root": "/",
        "a query": "/ws/orders/987654321/?snapshot=%FF&snapshot=0",
    }


async def test_the_forbidden_and_the_missing_are_the_same_bytes(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.other_client)
    own = await sync_to_async(session_of)(people.client)
    async with nothing_changes(standing_server, people):
        forbidden = await spoken(
            standing_server, handshake(standing_server, f"/ws/orders/{people.order.pk}/", session=session)
        )
        assert b"101 Switching Protocols" in forbidden[0]
        assert forbidden[1] == bytes([0x80 | CLOSE, 2]) + (4404).to_bytes(2)

        async def same(what: str, path: str) -> None:
            answer = await spoken(standing_server, handshake(standing_server, path, session=session))
            assert answer == forbidden, what
            # Not even the client's own order is there under another spelling.
            assert await spoken(standing_server, handshake(standing_server, path, session=own)) == forbidden, what

        await asyncio.gather(*(same(*each) for each in not_there(people).items()))


async def test_anonymous_people_cannot_tell_an_order_from_none(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    async with nothing_changes(standing_server, people):
        paths = [f"/ws/orders/{people.order.pk}/", "/ws/orders/987654321/", "/ws/orders/-1/"]
        for session in ("", "0" * 32, "'; --", "x" * 4000):
            answers = {
                await spoken(standing_server, handshake(standing_server, path, session=session)) for path in paths
            }
            assert len(answers) == 1
            assert answers.pop()[1] == bytes([0x80 | CLOSE, 2]) + (4401).to_bytes(2)


async def test_a_refusal_leaves_at_its_time_whatever_the_reason(patient_server: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.other_booster)
    paths = {
        "forbidden": f"/ws/orders/{people.order.pk}/",
        "missing": "/ws/orders/987654321/",
        "no key": "/ws/orders/-1/",
    }
    known = [(what, path, session) for what, path in {**paths, "unknown path": "/ws/nothing/"}.items()]

    async def refused(what: str, path: str, session: str) -> None:
        started = time.monotonic()
        await spoken(patient_server, handshake(patient_server, path, session=session))
        assert time.monotonic() - started >= REFUSAL_SECONDS, what

    await asyncio.gather(*(refused(*each) for each in (*known, ("nobody", paths["forbidden"], ""))))


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"])
async def test_a_foreign_page_opens_no_socket(standing_server: Server, origin: str | None) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    async with nothing_changes(standing_server, people):
        request = handshake(standing_server, f"/ws/orders/{people.order.pk}/", session=session, origin=origin)
        head, _ = await spoken(standing_server, request)
        assert head.startswith(b"HTTP/1.1 403 ")


NONSENSE = {
    "no JSON": "{",
    "NaN": "NaN",
    "infinity": '{"n": 1e999}',
    "a lone surrogate": '{"note": "\\ud800"}',
    "wrong types": json.dumps([None, {"type": 5}, {"type": "order.update", "progress": 100}]),
    "deep": "[" * 1000 + "]" * 1000,
    "an update": json.dumps({"type": "order.update", "order_id": 1, "progress": 100, "version": 2**62}),
    "an unknown frame": '{"type": "subscribe", "topic": "orders:all"}',
    "a line of a log": "a\r\n2026-11-23 ERROR forged",
    "nothing": "",
}


async def test_what_a_client_says_is_ignored(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    async with (
        nothing_changes(standing_server, people),
        standing_server.watch(f"/ws/orders/{people.order.pk}/", people.booster) as watch,
    ):
        first = await watch.next()
        for text in NONSENSE.values():
            await watch.socket.send(text)
        for data in (b"", b"\x00\xff\xfe", b"\x80" * 16_000):
            await watch.socket.send(data)
        await watch.socket.send("x" * 16 * 1024)
        await (await watch.socket.ping())  # behind all that was said
        assert await sync_to_async(Event.objects.filter(topic=f"order.{people.order.pk}").count)() == first["version"]
        await watch.socket.send("after it")
        await (await watch.socket.ping())


async def test_too_large_a_frame_closes_with_1009(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    async with nothing_changes(standing_server, people):
        for data in ("x" * (16 * 1024 + 1), "x" * 200_000, b"\0" * 20_000):
            async with standing_server.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
                await watch.next()
                await watch.socket.send(data)
                assert await watch.closed() == 1009


async def test_characters_that_are_many_bytes_count_as_bytes(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    async with standing_server.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        await watch.next()
        await watch.socket.send("\U0001f600" * 10_000)
        assert await watch.closed() == 1009


async def test_a_client_that_talks_too_much_is_closed_with_4429(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    async with (
        nothing_changes(standing_server, people),
        standing_server.watch(f"/ws/orders/{people.order.pk}/", people.booster) as watch,
    ):
        await watch.next()
        try:
            for number in range(2000):
                await watch.socket.send(f"{number}")
        except websockets.ConnectionClosed:
            pass
        assert await watch.closed() == 4429


async def test_bytes_that_are_no_text_end_their_own_socket_only(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    opened = handshake(standing_server, f"/ws/orders/{people.order.pk}/", session=session)
    async with nothing_changes(standing_server, people):
        for payload, opcode in [(b"\xed\xa0\x80", TEXT), (b"\xff", TEXT), (b"", 0x3), (b"", 0xF)]:
            head, _ = await spoken(standing_server, opened, frame(b"\0", BINARY) + frame(payload, opcode))
            assert b"101 Switching Protocols" in head


CLOSES = {
    "half a surrogate": (frame(b"\xed\xa0\x80"), 1007),
    "no UTF-8": (frame(b"\xff"), 1007),
    "a reserved opcode": (frame(b"", 0x3), 1002),
    "a control frame in parts": (b"\x09\x80\0\0\0\0", 1002),
}


@pytest.mark.parametrize("what", CLOSES)
async def test_who_breaks_the_protocol_is_told_by_which_code(standing_server: Server, what: str) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    opened = handshake(standing_server, f"/ws/orders/{people.order.pk}/", session=session)
    said, code = CLOSES[what]
    async with nothing_changes(standing_server, people):
        for request, then in ((opened, said), (opened + said, b"")):
            head, body = await spoken(standing_server, request, then)
            assert b"101 Switching Protocols" in head
            closes = [payload for opcode, payload in Frames().feed(body) if opcode == CLOSE]
            assert [int.from_bytes(payload[:2]) for payload in closes] == [code]


async def test_what_comes_with_the_handshake_is_read_after_it(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    opened = handshake(standing_server, f"/ws/orders/{people.order.pk}/", session=session)
    goodbye = frame((1000).to_bytes(2), CLOSE)
    head, body = await spoken(standing_server, opened + frame(b"hello") + frame(b"7", PING) + goodbye)
    assert b"101 Switching Protocols" in head
    assert (PONG, b"7") in list(Frames().feed(body))
    assert body.endswith(bytes([0x80 | CLOSE, 2]) + (1000).to_bytes(2))


async def test_who_is_not_answered_in_time_is_told_that_it_is_busy(db: None, tmp_path: Path) -> None:
    """Not 403, which says that it is not for him: he comes back."""
    server = Server(child_environment(), tmp_path / "server.log")
    server.daphne = [*server.daphne, "--websocket_connect_timeout", "1"]
    server.application = "tests.mute:application"
    server.start()
    try:
        head, _ = await spoken(server, handshake(server, "/ws/orders/1/"))
    finally:
        server.stop()
    assert head.startswith(b"HTTP/1.1 503 "), head
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-3000:]
