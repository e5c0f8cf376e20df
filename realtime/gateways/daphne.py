"""Daphne, with regard for readers: it waits for slow ones, and says goodbye (4012) where the stock server cuts off.

``asgi.py`` sets ``daphne.cli.CommandLineInterface.server_class`` to this class: the stock ``daphne`` command uses it.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

from autobahn.websocket.types import ConnectionDeny
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server as StockServer
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import defer, reactor, task

from .. import conf
from ..hub import Hub
from ..protocol.closing import Close
from .denial import EXTENSION, Denying

logger = logging.getLogger("realtime.daphne")


class Server(StockServer):
    """The stock server with back pressure, and a drain in front of its shutdown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ports: list[Any] = []

    def listen_success(self, port: Any) -> None:
        self.ws_factory.protocol = Socket
        # The stock server cuts off whoever breaks RFC 6455; this one says why (1002, 1007, 1009) and then does.
        self.ws_factory.failByDrop = False
        self.http_factory.buildProtocol = self._channel
        self._ports.append(port)
        super().listen_success(port)

    def _channel(self, address: Any) -> Any:
        channel = HTTPFactory.buildProtocol(self.http_factory, address)
        channel.requestFactory = Request
        return channel

    def create_application(self, protocol: Any, scope: Any) -> Any:
        """Run the application; when it leaves a response in the middle, the connection ends with it.

        The stock server would keep the line of a stream that was given up for as long as its reader likes.
        """
        if isinstance(protocol, Socket):
            scope.setdefault("extensions", {})[EXTENSION] = {}
        queue = super().create_application(protocol, scope)
        running = self.connections.get(protocol, {}).get("application_instance")
        if running is not None and isinstance(protocol, Request):
            running.add_done_callback(lambda _: protocol.give_up())
        return queue

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """Hand over what an application sends, and return when the line takes more.

        The stock server returns at once: whoever sends to a reader that stands still fills its memory.
        """
        flow: Flow | None = getattr(protocol, "flow", None)
        if isinstance(protocol, Request):
            flow = protocol.flow_of(message)
        await super().handle_reply(protocol, message)
        if flow is not None:
            await flow.is_open.wait()

    def kill_all_applications(self) -> Any:
        """Take no more, say goodbye to sockets and streams, wait up to ``drain_seconds``, then end what is left."""
        for port in self._ports:
            port.stopListening()
        sockets = [protocol for protocol in self.connections if isinstance(protocol, Socket)]
        requests = [
            details["application_instance"]
            for protocol, details in self.connections.items()
            if isinstance(protocol, Request) and "application_instance" in details
        ]
        logger.info("draining %d sockets, %d requests", len(sockets), len(requests))
        Hub.current().drain()
        return self._drained(sockets, requests)

    @defer.inlineCallbacks
    def _drained(self, sockets: "list[Socket]", requests: "list[asyncio.Future[None]]") -> Any:
        window = conf.current().drain_seconds

        def is_under_way() -> bool:
            return any(left.state != left.STATE_CLOSED for left in sockets) or not all(r.done() for r in requests)

        yield self._while(is_under_way, window / 2)
        for left in sockets:  # those of other consumers
            if left.state == left.STATE_OPEN:
                left.serverClose(code=int(Close.DRAIN))  # autobahn takes no enum
        yield self._while(is_under_way, window / 2)
        for details in self.connections.values():
            details.setdefault("application_instance", _Ended())
        yield super().kill_all_applications()

    @defer.inlineCallbacks
    def _while(self, is_under_way: Callable[[], bool], within: float) -> Any:
        until = time.monotonic() + within
        while time.monotonic() < until and is_under_way():
            yield task.deferLater(reactor, 0.02)


class Flow:
    """Whether a line takes more. Twisted pauses it when 64 KiB wait in front of the kernel's buffer."""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()
        self.is_open.set()

    def pauseProducing(self) -> None:  # noqa: N802 (Twisted names these)
        self.is_open.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self.is_open.set()

    def stopProducing(self) -> None:  # noqa: N802
        """The line is gone: whoever waits for it goes on and finds out."""
        self.is_open.set()


KERNEL_BYTES = 128 * 1024
"""What the kernel may hold for a reader; left to itself it takes megabytes of states that are long past."""


def hold_little(transport: Any) -> None:
    line = transport.getHandle()
    if isinstance(line, socket.socket):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)


class Request(WebRequest):
    """A request that may become a socket: then it hands over what the client sent right behind its handshake.

    The stock one leaves these bytes with the HTTP channel, which waits with them for the end of the request.
    """

    flow: Flow | None = None

    def give_up(self) -> None:
        """Cut the line of an answer that will not be completed."""
        if self._response_started and not (self.finished or self._disconnected or self.channel is None):
            self.channel.transport.abortConnection()

    def flow_of(self, message: Any) -> Flow | None:
        """Return whether the line takes more of this response; the last part of it waits for nothing."""
        has_reader = self.channel is not None  # whoever has left a moment ago took it along
        if message["type"] == "http.response.start" and self.producer is None and not self.finished and has_reader:
            self.flow = Flow()
            self.registerProducer(self.flow, True)
            if (b"Content-Type", b"text/event-stream") in message.get("headers", ()):
                hold_little(self.channel.transport)
        elif self.flow is not None and not message.get("more_body"):
            if has_reader:
                self.unregisterProducer()
            self.flow = None
        return self.flow

    def process(self) -> Any:
        channel = self.channel
        done = super().process()
        line = getattr(channel, "transport", None)
        upgraded = getattr(line, "wrappedProtocol", None) or getattr(line, "protocol", None)  # the first behind TLS
        if isinstance(upgraded, WebSocketProtocol):
            channel.rawDataReceived = upgraded.dataReceived
        return done


class Socket(Denying, WebSocketProtocol):
    """A socket that waits for its reader, and can be closed with every code of PROTOCOL §5."""

    flow: Flow | None = None

    def onOpen(self) -> None:  # noqa: N802 (autobahn names it)
        super().onOpen()
        self.flow = Flow()
        self.transport.unregisterProducer()  # the HTTP channel's, which would stop us hearing a slow reader
        self.transport.registerProducer(self.flow, True)
        hold_little(self.transport)

    def check_timeouts(self) -> None:
        is_late = self.duration() > self.server.websocket_connect_timeout
        if not (is_late and self._turned_away()):
            super().check_timeouts()

    def onOpenHandshakeTimeout(self) -> None:  # noqa: N802 (autobahn names it)
        if not self._turned_away():
            super().onOpenHandshakeTimeout()

    def _turned_away(self) -> bool:
        """Say 503 to whom the application has not answered in time; return whether he waited for it.

        The stock server says 403, which means "not for you", or nothing, as one of two clocks is quicker.
        """
        if self.state != self.STATE_CONNECTING or not hasattr(self, "handshake_deferred"):
            return False
        denial = ConnectionDeny(code=503, reason="Service Unavailable")  # type: ignore[no-untyped-call]
        self.handshake_deferred.errback(denial)
        del self.handshake_deferred
        self.server.protocol_disconnected(self)
        return True

    def onAutoPingTimeout(self) -> None:  # noqa: N802 (autobahn names it)
        """Say why a silent peer is left, then leave him; the stock server cuts the line."""
        self.autoPingTimeoutCall = None
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=int(Close.SILENT))
        else:
            super().onAutoPingTimeout()

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802 (Daphne names it)
        """Close with ``code``; autobahn lets an application say 1000 and 3000–4999, and raises for 1009 and 1013."""
        if code in (Close.TOO_BIG, Close.OVERLOADED) and self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=int(code))
        else:
            super().serverClose(code)


class _Ended:
    """An application that has ended: the stock shutdown reads the key without looking whether it is there."""

    def done(self) -> bool:
        return True
