"""What hides in a request's head is refused under both servers: two of a header, control characters, other hosts."""

import asyncio
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

from tests.engines import child_environment
from tests.people import cast
from tests.server import Server, Uvicorn, running, session_of
from tests.streams import ask
from tests.untouched import nothing_changes
from tests.wire import CLOSE, frame, handshake, spoken

EVIL = b"http://evil.example"
NOT_MENDED = {"a second header behind b'\\x85'", "a protocol that is no ASCII"}
"""uvicorn's own error, and a traceback, for bytes that are no ASCII: ``docs/how-to/uvicorn.md`` says so."""


@pytest.fixture(scope="module", params=[Server, Uvicorn], ids=["daphne", "uvicorn"])
def house(request: pytest.FixtureRequest, db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), child_environment(), request.param) as server:
        yield server
    log = server.log.read_text()
    assert log.count("Traceback") == log.count("UnicodeEncodeError: 'latin-1'"), log[-5000:]
    assert "Traceback" not in log or isinstance(server, Uvicorn), log[-5000:]


def hidden(server: Server, path: str, session: str) -> dict[str, bytes]:
    """Return handshakes that a proxy may read otherwise than we do; without what hides in them some are good."""
    own = handshake(server, path, session=session)
    foreign = handshake(server, path, session=session, origin=EVIL.decode())
    good = f"Origin: {server.url}".encode()
    host = f"Host: 127.0.0.1:{server.port}".encode()
    bad = b"Origin: " + EVIL

    def with_line(line: bytes, whole: bytes = own) -> bytes:
        return whole[:-2] + line + b"\r\n\r\n"

    return {
        **{
            f"a second header behind {between!r}": with_line(b"X: y" + between + good, foreign)
            for between in (b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85", b"\r", b"\n", b"\0")
        },
        "a foreign origin behind ours": with_line(bad),
        "ours behind a foreign origin": with_line(good, foreign),
        "the same origin twice": with_line(good),
        "another host behind ours": with_line(b"Host: evil.example"),
        "another host before ours": own.replace(host, b"Host: evil.example\r\n" + host),
        "the same host twice": with_line(host),
        "another host": own.replace(host, b"Host: evil.example"),
        "another host, with ours as its user": own.replace(host, b"Host: 127.0.0.1@evil.example"),
        "a host in the address": own.replace(b"GET /", b"GET http://evil.example/").replace(
            host, b"Host: evil.example"
        ),
        "an origin over two lines": own.replace(good, b"Origin:\r\n " + EVIL),
        "a space before the colon": own.replace(b"Origin:", b"Origin :"),
        "a line end in the address": own.replace(path.encode(), path.encode() + b"\rOrigin:x"),
        "a tabulator in the address": own.replace(path.encode(), path.encode() + b"\tHTTP/1.1\x0bOrigin:x"),
        "a protocol that is no ASCII": with_line(b"Sec-WebSocket-Protocol: \xff\xfe"),
        "a key that is none": own.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"x"),
        "two keys": with_line(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        "a length and chunks": with_line(b"Content-Length: 5\r\nTransfer-Encoding: chunked"),
        "two lengths": with_line(b"Content-Length: 5\r\nContent-Length: 6"),
        "a length that is none": with_line(b"Content-Length: +5"),
        "a hundred thousand bytes of headers": with_line(b"X: " + b"y" * 100_000),
        "six hundred headers": with_line(b"\r\n".join(b"X: y" for _ in range(600)) + b"\r\nY: " + b"y" * 70_000),
    }


async def test_what_hides_in_a_handshake_opens_no_socket(house: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    path = f"/ws/orders/{people.order.pk}/"
    goodbye = frame((1000).to_bytes(2), CLOSE)
    async with nothing_changes(house, people):
        head, _ = await spoken(house, handshake(house, path, session=session), goodbye)
        assert b" 101 " in head, "without all that it is a good one"
        for what, request in hidden(house, path, session).items():
            head = await answered(house, request)
            if isinstance(house, Uvicorn) and what in NOT_MENDED:
                assert head.startswith(b"HTTP/1.1 500 "), (what, head)
            else:
                assert head.startswith(b"HTTP/1.1 4") or not head, (what, head)


async def answered(server: Server, request: bytes) -> bytes:
    """Return the head of the answer; nothing: the line was closed without one."""
    try:
        head, _ = await spoken(server, request, frame((1000).to_bytes(2), CLOSE))
    except (asyncio.IncompleteReadError, OSError) as ended:
        head = getattr(ended, "partial", b"")
    return head


FORGED = {
    "another host": ({"Host": "evil.example"}, 400),
    "another host with our port": ({"Host": "evil.example:8000"}, 400),
    "our host in another one": ({"Host": "127.0.0.1.evil.example"}, 400),
    "an address that is forwarded": ({"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Host": "evil.example"}, 200),
}


@pytest.mark.parametrize("what", FORGED)
async def test_a_page_for_another_host_is_refused(house: Server, what: str) -> None:
    """What only a proxy may say is not believed, and changes nothing."""
    headers, status = FORGED[what]
    answer = await ask(house, "/accounts/login/", headers=headers)
    assert answer.status == status
    assert answer.status == 400 or b"evil.example" not in answer.body
