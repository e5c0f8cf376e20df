"""What Daphne's subclass does in moments that no client can make to order."""

import socket
from typing import Any

import pytest
from pytest_django import Settings
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Port
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.web import http

from realtime.gateways.daphne import one_by_one
from realtime.gateways.flow import Flow
from realtime.gateways.requests import Request, line_of
from realtime.quotas import Quotas


def test_a_response_that_outlives_its_reader_ends_without_a_word() -> None:
    """Twisted takes the channel from a request whose client has gone; the application may say its last part later."""
    request: Any = Request.__new__(Request)
    request.flow, request.channel = Flow(), None
    assert request.flow_of({"type": "http.response.body"}) is None
    assert vars(request)["flow"] is None
    request.producer, request.finished = None, 0
    assert request.flow_of({"type": "http.response.start"}) is None


@pytest.mark.parametrize("spoken", ["http/1.1", "h2"])
def test_the_clock_of_a_line_ends_when_http_2_takes_it_over(
    spoken: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP/2 needs packages that are not installed here: its class is a stranger's, the switch to it is Twisted's."""
    settings.REALTIME = {**settings.REALTIME, "HANDSHAKE_SECONDS": 0.0}

    names = http._GenericHTTPChannelProtocol.dataReceived.__globals__
    monkeypatch.setitem(names, "H2_ENABLED", True)
    monkeypatch.setitem(names, "H2Connection", Protocol)
    clock, transport, line = Clock(), StringTransport(), line_of()
    transport.negotiatedProtocol = spoken.encode()  # type: ignore[attr-defined]
    line.callLater, line.timeOut = clock.callLater, None
    line.makeConnection(transport)
    line.dataReceived(b"GET / HT")
    clock.advance(60)
    assert transport.value().startswith(b"HTTP/1.1 408 ") == (spoken == "http/1.1")


def test_a_crowd_comes_in_one_by_one() -> None:
    """Each round of the loop accepts one connection: two hundred that come at once are a hundred milliseconds."""
    came: list[int] = []

    class Counting(Factory):
        def buildProtocol(self, address: Any) -> None:  # noqa: N802
            came.append(1)

    factory: Any = Counting()
    port: Any = Port(0, factory, interface="127.0.0.1", reactor=MemoryReactorClock())
    port.startListening()
    one_by_one(port)
    people = [socket.create_connection(("127.0.0.1", port.getHost().port)) for _ in range(3)]
    for number in range(1, 4):
        port.doRead()
        assert len(came) == number
    for each in (*people, port.socket):
        each.close()


async def test_who_has_offended_is_turned_away_before_a_request_is_made_of_it(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "LIMITS": {"OFFENCES_BURST": 1}}
    name = settings.SESSION_COOKIE_NAME
    Quotas.current().offended(["session:hers"])

    def said_to(key: str, *headers: str) -> tuple[bytes, bool]:
        """Return what is answered, and whether a request was made."""
        made: list[bytes] = []
        transport, line = StringTransport(), line_of()
        line.callLater, line.timeOut = Clock().callLater, None
        line.requestFactory = type("Made", (http.Request,), {"process": lambda request: made.append(request.path)})
        line.makeConnection(transport)
        line.dataReceived(
            "\r\n".join(["GET /ws/ HTTP/1.1", "Host: a", f"Cookie: {name}={key}", *headers, "", ""]).encode()
        )
        return transport.value(), bool(made)

    answer, was_made = said_to("hers", "Upgrade: websocket")
    assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: ")
    assert not was_made
    assert said_to("hers") == (b"", True), "his pages are served"
    assert said_to("another", "Upgrade: websocket") == (b"", True)


def test_a_line_that_is_closed_ends_though_nobody_takes_what_was_written(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "STALL_SECONDS": 10.0}
    clock, transport, line = Clock(), StringTransport(), line_of()
    line.callLater, line.timeOut = clock.callLater, None
    line.makeConnection(transport)
    line._channel.written = 8 * 1024
    line._channel.loseConnection()
    clock.advance(27)  # the seconds, sixteen for what fits on a line, and two
    assert (transport.disconnecting, transport.disconnected) == (True, False), "what was written may leave"
    clock.advance(2)
    assert transport.disconnected
