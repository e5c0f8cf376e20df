"""Daphne, with regard for readers and none for who floods: it waits for slow ones, says goodbye (4012) where the stock
server cuts off, and bounds what anybody may send and how long it may take him.

``asgi.py`` sets ``daphne.cli.CommandLineInterface.server_class`` to this class: the stock ``daphne`` command uses it.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from daphne.http_protocol import HTTPFactory
from daphne.server import Server as StockServer
from twisted.internet import defer, reactor, task
from twisted.internet.interfaces import ISSLTransport

from .. import conf
from ..hub import Hub
from ..protocol.closing import Close
from .collector import Collector
from .connection import read_in_turn
from .denial import EXTENSION
from .flow import Flow
from .requests import Request, line_of
from .sockets import Socket, paced

logger = logging.getLogger("realtime.daphne")


class Server(StockServer):
    """The stock server with back pressure in both directions, and a drain in front of its shutdown."""

    STOCK_MESSAGE_BYTES = 1024 * 1024
    SWITCH_SECONDS = 0.0005
    """For how long a thread that reads the database keeps the loop waiting; Python's own 5 ms are as long as a whole
    delivery takes."""

    def __init__(self, application: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(paced(application), *args, **kwargs)
        self._ports: list[Any] = []
        # The stock server takes a megabyte into memory before anybody looks; its options still raise the limit.
        for name in ("websocket_max_message_size", "websocket_max_frame_size"):
            if getattr(self, name) == self.STOCK_MESSAGE_BYTES:
                setattr(self, name, conf.current().subscribe_bytes)

    def run(self) -> None:
        Collector().begin()
        sys.setswitchinterval(self.SWITCH_SECONDS)
        super().run()

    def listen_success(self, port: Any) -> None:
        self.ws_factory.protocol = Socket
        # The stock server cuts off whoever breaks RFC 6455; this one says why (1002, 1007, 1009) and then does.
        self.ws_factory.failByDrop = False
        self.http_factory.protocol = line_of
        self.http_factory.buildProtocol = self._channel
        self._ports.append(port)
        read_in_turn(port)
        one_by_one(port)
        super().listen_success(port)

    def _channel(self, address: Any) -> Any:
        line = HTTPFactory.buildProtocol(self.http_factory, address)
        line.requestFactory = Request
        return line

    def create_application(self, protocol: Any, scope: Any) -> Any:
        """Run the application; when it leaves a response in the middle, the connection ends with it.

        The stock server would keep the line of a stream that was given up for as long as its reader likes.
        """
        if isinstance(protocol, Socket):
            scope.setdefault("extensions", {})[EXTENSION] = {}
            # The stock server does not say it of sockets: without a proxy in front it decides which origin is ours.
            scope.setdefault("scheme", "wss" if ISSLTransport.providedBy(protocol.transport) else "ws")
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

    def timeout_checker(self) -> None:
        """Look at every connection, again and again: what fails about one does not stop the clock of all."""
        for protocol in list(self.connections):
            try:
                protocol.check_timeouts()
            except Exception:
                logger.exception("a connection could not be looked at")
        reactor.callLater(2, self.timeout_checker)  # type: ignore[arg-type]

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
        Hub.current().end()  # while the loop still runs: the layer unsubscribes, and says so in a log when it cannot
        yield self._while(lambda: len(Hub.current().tasks) > 0, window)
        for details in self.connections.values():
            details.setdefault("application_instance", _Ended())
        yield super().kill_all_applications()

    @defer.inlineCallbacks
    def _while(self, is_under_way: Callable[[], bool], within: float) -> Any:
        until = time.monotonic() + within
        while time.monotonic() < until and is_under_way():
            yield task.deferLater(reactor, 0.02)


def one_by_one(port: Any) -> None:
    """Have ``port`` accept one connection in each round of the loop. Twisted takes a hundred at once and more."""
    stock = port.doRead

    def accept() -> None:
        port.numberAccepts = 1  # Twisted raises it again each time
        stock()

    port.doRead = accept


class _Ended:
    """An application that has ended: the stock shutdown reads the key without looking whether it is there."""

    def done(self) -> bool:
        return True
