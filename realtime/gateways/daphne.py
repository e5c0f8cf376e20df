"""Daphne, ending well: sockets get their goodbye (4012) on SIGTERM, where the stock server cuts them off (1006).

``asgi.py`` sets ``daphne.cli.CommandLineInterface.server_class`` to this class: the stock ``daphne`` command uses it.
"""

import logging
import time
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server as StockServer
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import defer, reactor, task

from .. import conf
from ..protocol.closing import Close

logger = logging.getLogger("realtime.daphne")


class Server(StockServer):
    """The stock server with a drain in front of its shutdown."""

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

    def kill_all_applications(self) -> Any:
        """Take no more sockets, say goodbye to all, wait up to ``drain_seconds``, then end what is left."""
        for port in self._ports:
            port.stopListening()
        sockets = [protocol for protocol in self.connections if isinstance(protocol, WebSocketProtocol)]
        for protocol in sockets:
            if protocol.state == protocol.STATE_OPEN:
                protocol.serverClose(code=int(Close.DRAIN))  # autobahn takes no enum
        logger.info("draining %d sockets", len(sockets))
        return self._drained(sockets)

    @defer.inlineCallbacks
    def _drained(self, sockets: list[WebSocketProtocol]) -> Any:
        until = time.monotonic() + conf.current().drain_seconds
        while time.monotonic() < until and any(socket.state != socket.STATE_CLOSED for socket in sockets):
            yield task.deferLater(reactor, 0.02)
        for details in self.connections.values():
            details.setdefault("application_instance", _Ended())
        yield super().kill_all_applications()


class Request(WebRequest):
    """A request that may become a socket: then it hands over what the client sent right behind its handshake.

    The stock one leaves these bytes with the HTTP channel, which waits with them for the end of the request.
    """

    def process(self) -> Any:
        channel = self.channel
        done = super().process()
        line = getattr(channel, "transport", None)
        socket = getattr(line, "wrappedProtocol", None) or getattr(line, "protocol", None)  # the first behind TLS
        if isinstance(socket, WebSocketProtocol):
            channel.rawDataReceived = socket.dataReceived
        return done


class Socket(WebSocketProtocol):
    """A socket that can be closed with every code of PROTOCOL §5."""

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
