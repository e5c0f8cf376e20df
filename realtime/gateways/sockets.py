"""A socket under Daphne: it waits for its reader, bounds its sender, and closes with every code of PROTOCOL §5."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar

from daphne.ws_protocol import WebSocketProtocol

from .. import conf, metrics
from ..limits import Bucket
from ..protocol.closing import Close
from .denial import Denying
from .flow import Flow, hold_little
from .turns import FRAMES, TURNS, Turns
from .unfinished import Store, Unfinished

WAITING_MESSAGES = 16
WAITING_BYTES = 16 * 1024
"""What waits for an application; with more the line is not read. The stock server queues all that comes."""

ASIDE = (9, 10)
"""Pings and pongs. A line that is full keeps the last of each and sends it when it takes more."""


def paced(application: Any) -> Any:
    """Return ``application``, whose sockets take turns with what it hears, and learn what it has taken."""

    async def run(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        protocol = send.args[0]  # it is the server's ``handle_reply``, for one protocol

        async def take() -> Any:
            message = await receive()
            await protocol.turns.wait()
            if message["type"] == "websocket.receive":
                protocol.taken(message)
            return message

        await application(scope, take if isinstance(protocol, Socket) else receive, send)

    return run


class Socket(Denying, WebSocketProtocol):
    """A socket of the stock server's, with bounds.

    Messages are limited by who hears them. What never becomes a message is limited here, by the same numbers: pings,
    pongs and the further fragments of a message.
    """

    flow: Flow | None = None
    inside_message = False
    current_frame: Any = None  # autobahn sets both when the socket is open
    _waiting_messages = _waiting_bytes = 0
    _taken_frames = 0
    """Frames that were taken in this turn."""
    _waits_for_turn = _is_paused = _is_deaf = False
    turns: ClassVar[Turns] = TURNS
    _said_since = 0
    """Bytes that came after the close frame that was sent to him."""
    maxMessagePayloadSize: int  # noqa: N815
    unfinished: ClassVar[Store] = Store()

    def __init__(self) -> None:
        super().__init__()
        self._message = Unfinished(self.unfinished)

    def onOpen(self) -> None:  # noqa: N802 (autobahn names these)
        super().onOpen()
        settings = conf.current()
        self._others = Bucket(rate=settings.inbound_rate, burst=settings.inbound_burst, now=time.monotonic())
        self._owed: dict[int, bytes] = {}
        self.flow = Flow(self._pay)
        self.transport.unregisterProducer()  # the HTTP channel's, which would stop us hearing a slow reader
        self.transport.registerProducer(self.flow, True)
        hold_little(self.transport)
        self.transport.resumeProducing()

    def processHandshake(self) -> None:  # noqa: N802
        """Keep what comes before the handshake is answered, but read no more: the stock one looks for another in it."""
        if not hasattr(self, "handshake_deferred"):
            super().processHandshake()
        elif self.data:
            self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self.state == self.STATE_CLOSING:
            self._said_since += len(data)
            if self._said_since > WAITING_BYTES:  # his close is not among the first of it: it is not waited for
                self._is_deaf = self.failedByMe = True
                self.transport.pauseProducing()
        if not self._is_deaf:
            super().dataReceived(data)

    def consumeData(self) -> None:  # noqa: N802
        """Take what is here, whenever it came: also that which came behind the handshake. Much of it takes turns."""
        if not self._is_up():
            super().consumeData()
        elif not self._waits_for_turn:
            self._wait_for_turn(self.turns.take)

    def _wait_for_turn(self, take: Callable[[Callable[[], None]], None]) -> None:
        self._waits_for_turn = True
        take(self._take_turn)
        if self._waits_for_turn:
            self._pause()

    def _is_up(self) -> bool:
        return self.state in (self.STATE_OPEN, self.STATE_CLOSING)

    def _take_turn(self) -> None:
        self._waits_for_turn, self._taken_frames = False, 0
        if not self._is_up():
            return
        super().consumeData()
        self._time_message()
        if self._has_had_its_turn() and self.data and not (self._is_deaf or self._is_full()):
            self._wait_for_turn(self.turns.again)
        elif not (self._is_deaf or self._is_full()):
            self._resume()

    def _has_had_its_turn(self) -> bool:
        return self._taken_frames >= FRAMES and self.current_frame is None

    def _pause(self) -> None:
        self._is_paused = True
        self.transport.pauseProducing()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self.transport.resumeProducing()

    def processData(self) -> bool:  # noqa: N802
        """Take a frame out of what has come, unless the application has enough to do, or nothing more is heard."""
        if self._is_deaf:
            self.data = b""
        if self._is_deaf or self._is_full() or self._has_had_its_turn():
            return False
        return bool(super().processData())

    def onFrameBegin(self) -> None:  # noqa: N802
        """Count what will be no message of its own; beyond the limit hear no more and close with 4429."""
        self._taken_frames += 1
        is_message = self.current_frame.opcode in (self.MESSAGE_TYPE_TEXT, self.MESSAGE_TYPE_BINARY)
        if not is_message and not self._others.allow(now=time.monotonic()):
            self._shut(Close.LIMITED)
        super().onFrameBegin()

    def onMessageFrameData(self, payload: bytes) -> None:  # noqa: N802
        if self.state != self.STATE_OPEN:
            self.failedByMe = True  # he was told to leave: autobahn keeps nothing more of what he says
        super().onMessageFrameData(payload)
        if self.failedByMe:
            return  # nothing is held of it
        for holder in self._message.hold(len(payload), self):
            holder._shut(Close.OVERLOADED)

    def onClose(self, wasClean: bool, code: Any, reason: Any) -> None:  # noqa: N802, N803
        self._message.let_go()
        super().onClose(wasClean, self.localCloseCode if self.failedByMe else code, reason)
        if self.flow is not None:
            self.flow.stopProducing()
        # Both know this socket: a circle waits for the collector, which holds everybody up.
        self.is_closed = self.flow = None

    def dropConnection(self, abort: bool = False) -> None:  # noqa: N802
        """End the line; who waits for it goes on: autobahn takes ``flow`` from it, so that it says nothing to him.

        What is written already may leave; where nobody takes it, the line is cut as soon as after a close of ours.
        """
        self._message.let_go()
        if self.flow is not None:
            self.flow.stopProducing()
        super().dropConnection(abort)
        if not abort:
            self.factory.reactor.callLater(self.closeHandshakeTimeout, self._closeConnection, True)

    def sendMessage(self, payload: bytes, *more: Any, **others: Any) -> None:  # noqa: N802
        """Send a message, however long: autobahn takes the limit of what is heard for one of what is said as well."""
        most, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            super().sendMessage(payload, *more, **others)
        finally:
            self.maxMessagePayloadSize = most

    def sendFrame(self, opcode: int, payload: bytes = b"", *more: Any, **others: Any) -> None:  # noqa: N802
        """Write a frame; pings and pongs of a reader who stands still do not pile up in front of him."""
        if opcode in ASIDE and self.flow is not None and not self.flow.is_open.is_set():
            self._owed[opcode] = payload
        else:
            super().sendFrame(opcode, payload, *more, **others)

    def _pay(self) -> None:
        """Write the pings and pongs that waited for the line."""
        owed, self._owed = self._owed, {}
        for opcode, payload in owed.items():
            if self.state == self.STATE_OPEN:
                super().sendFrame(opcode, payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        super().onMessage(payload, isBinary)
        self._message.let_go()
        self._waiting_messages += 1
        self._waiting_bytes += len(payload)
        if self._is_full():
            self._pause()

    def taken(self, message: Any) -> None:
        """Go on reading: the application has taken ``message``."""
        was_full = self._is_full()
        self._waiting_messages -= 1
        self._waiting_bytes -= len(message.get("bytes") or message.get("text", "").encode())
        if was_full and not self._is_full() and self._is_up():
            self.consumeData()

    def _is_full(self) -> bool:
        return self._waiting_messages >= WAITING_MESSAGES or self._waiting_bytes >= WAITING_BYTES

    def _time_message(self) -> None:
        """Start the clock of a message that has begun, and stop it when nothing is begun, or it is we who are late."""
        is_partly_here = self.inside_message or self.current_frame is not None or bool(self.data)
        self._message.runs(is_running=is_partly_here and not self._is_full() and self.state == self.STATE_OPEN)

    def _shut(self, code: Close) -> None:
        """Close with ``code`` and read nothing more, not even the answer: the line is cut in a second."""
        if self._is_deaf or self.state != self.STATE_OPEN:
            return
        self._is_deaf = self.failedByMe = True
        metrics.refused.labels(str(code.value)).inc()
        self.sendCloseFrame(code=int(code))
        self.transport.pauseProducing()
        self.message_data, self.frame_data, self.data = list[bytes](), list[bytes](), b""
        self._message.let_go()

    def _max_message_size_exceeded(self, *_: Any) -> None:
        self._shut(Close.TOO_BIG)

    def check_timeouts(self) -> None:
        """Leave who began a message and does not end it, and whom the application has not answered in time."""
        if self._message.is_late(conf.current().handshake_seconds):
            self.turns.take(partial(self._shut, Close.SILENT))
        is_late = self.duration() > self.server.websocket_connect_timeout
        if not (is_late and self._turned_away()):
            super().check_timeouts()

    def onOpenHandshakeTimeout(self) -> None:  # noqa: N802
        if not self._turned_away():
            super().onOpenHandshakeTimeout()

    def _turned_away(self) -> bool:
        """Say 503 to whom the application has not answered in time; return whether he waited for it.

        The stock server says 403, which means "not for you", or nothing, as one of two clocks is quicker.
        """
        return self._deny(HTTPStatus.SERVICE_UNAVAILABLE)

    def onCloseHandshakeTimeout(self) -> None:  # noqa: N802
        """Cut the line of who does not answer a close, in his turn: many were closed in one moment."""
        self.turns.take(super().onCloseHandshakeTimeout)

    def onAutoPingTimeout(self) -> None:  # noqa: N802
        """Say why a silent peer is left, then leave him; the stock server cuts the line."""
        self.autoPingTimeoutCall = None
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=int(Close.SILENT))
        else:
            super().onAutoPingTimeout()

    def handle_reply(self, message: Any) -> None:
        """Hand over what the application says; the stock one drops what is empty."""
        text, data = message.get("text"), message.get("bytes")
        is_empty = not text and not data and (text is not None or data is not None)
        if message["type"] == "websocket.send" and is_empty and self.state == self.STATE_OPEN:
            self.serverSend(text if text is not None else data, text is None)
        else:
            super().handle_reply(message)

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802 (Daphne names it)
        """Close with ``code``; autobahn lets an application say 1000 and 3000–4999, and raises for 1009 and 1013."""
        if code in (Close.TOO_BIG, Close.OVERLOADED) and self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=int(code))
        else:
            super().serverClose(code)
