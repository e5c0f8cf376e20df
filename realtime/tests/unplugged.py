"""Sockets of our Daphne's that no network carries: a test is the loop, and the line that brings bytes."""

from collections import deque
from collections.abc import Callable
from typing import Any

from daphne.ws_protocol import WebSocketFactory
from twisted.internet.defer import succeed
from twisted.internet.testing import StringTransport

from realtime.gateways.sockets import Socket
from realtime.gateways.turns import Turns

SHAKE = (
    b"GET /ws/ HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Line(StringTransport):
    """A line that nothing travels on."""

    bufferSize = 0  # noqa: N815 (Twisted names it)

    def getHandle(self) -> None:  # noqa: N802
        return None


class House:
    """What a socket knows of its server: its application takes what comes, or leaves it where it is."""

    root_path, proxy_forwarded_address_header = "", None

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.is_taking = True
        self.rounds: deque[Callable[[], None]] = deque()
        self.turns = Turns(self.rounds.append)
        self.factory = WebSocketFactory(self)

    def protocol_connected(self, socket: Any) -> None: ...

    def protocol_disconnected(self, socket: Any) -> None: ...

    def log_action(self, *_: Any) -> None: ...

    def create_application(self, socket: Any, scope: Any) -> Any:
        house = self

        class Queue:
            def put_nowait(self, message: Any) -> None:
                if message["type"] == "websocket.receive":
                    house.heard.append((socket.name, message["text"]))
                    if house.is_taking:
                        socket.taken(message)

        return succeed(Queue())

    def open(self, name: str) -> Any:
        """Return a socket that is open."""
        socket: Any = Socket()
        socket.factory, socket.name, socket._raw_query_string = self.factory, name, b""
        socket.turns = self.turns
        line = Line()
        line.registerProducer(line, True)
        socket.makeConnection(line)
        socket.dataReceived(SHAKE)
        socket.serverAccept()
        assert socket.state == socket.STATE_OPEN
        return socket

    def go_round(self) -> int:
        """Let the loop go round once; return how many frames it brought."""
        before = len(self.heard)
        for work in [self.rounds.popleft() for _ in range(len(self.rounds))]:
            work()
        return len(self.heard) - before
