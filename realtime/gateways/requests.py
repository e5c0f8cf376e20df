"""What comes over a line of Daphne's before it is a socket: requests, which must be whole in time, and plain."""

import math
import time
from typing import Any

from daphne.http_protocol import WebRequest
from daphne.ws_protocol import WebSocketProtocol
from twisted.web import http
from twisted.web.http_headers import Headers

from .. import conf, metrics
from ..identity import claim_in
from ..quotas import Over, Quotas
from .flow import LINE_BYTES, Flow, hold_little

BODY_BYTES = 1024 * 1024
"""Largest body: the stock server takes any, first onto the disk and then at once into the application's queue."""

BODY_BYTES_A_SECOND = 16 * 1024
"""Each so many bytes of a body give its sender another second; of a head nothing does."""


LINGER = 1.0
"""For how long a body that is too large is still read and thrown away: with bytes unread the kernel resets the line,
and its client never sees the answer (RFC 9112 §9.6)."""

ANSWER_BYTES_A_SECOND = 4 * 1024
"""Each so many bytes of an answer that wait for its reader give him another second beyond ``STALL_SECONDS``."""

ANSWER_BYTES = 64 * 1024
"""What waits on a line of Twisted's, besides what was written last, before it is full."""


def taken_within(size: int) -> float:
    """Return in how many seconds a reader must have taken what waits for him, of which ``size`` was written last."""
    return conf.current().stall_seconds + (ANSWER_BYTES + size) / ANSWER_BYTES_A_SECOND


_Channel: Any = http.HTTPChannel


class Line(_Channel):
    """A connection whose client has ``HANDSHAKE_SECONDS`` for each request, from its first byte to its last.

    The stock one gives a minute after each byte, so that one byte a minute holds it for ever. A line that is new and
    says nothing is timed too; between two requests Twisted's own minute rules.
    """

    _began: float | None = None
    _clock: Any = None
    _cut: Any = None
    """When the line is cut in any case."""
    _body_bytes = 0
    written = 0
    """Bytes of an answer that were written last, and may still be here."""

    def connectionMade(self) -> None:  # noqa: N802 (Twisted names these)
        super().connectionMade()
        self._begin()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._began is None and not self._handlingRequest:
            self._begin()
        super().dataReceived(data)

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802
        if not self._handlingRequest:
            if self._body_bytes > BODY_BYTES:
                return  # it was told so
            self._body_bytes += len(data)
            if self._body_bytes > BODY_BYTES:
                metrics.refused.labels("413").inc()
                self.transport.write(
                    b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                self.callLater(LINGER, self.timeoutConnection)
                return
        super().rawDataReceived(data)

    def setTimeout(self, period: float | None) -> Any:  # noqa: N802
        """The clock ends as well where Twisted ends its own: when HTTP/2 takes the line over."""
        if period is None:
            self._end()
        return super().setTimeout(period)  # what it was: Twisted sets it again after the answer

    def allContentReceived(self) -> None:  # noqa: N802
        self._end()
        over = waits(self.requests[-1].requestHeaders)
        if over is None:
            super().allContentReceived()
        else:
            self._turn_away(over)

    def _turn_away(self, over: Over) -> None:
        """Say 429 and end the line: no request is made of it, and no line of the access log, for it comes in floods."""
        metrics.refused.labels("429").inc()
        self._handlingRequest = True  # what follows is nobody's request
        self.setRawMode()
        after = math.ceil(over.retry_after)
        head = f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {after}\r\nContent-Length: 0\r\nConnection: close"
        self.transport.write(head.encode() + b"\r\n\r\n")
        self.loseConnection()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        self._end()
        if self._cut is not None and self._cut.active():
            self._cut.cancel()
        super().connectionLost(reason)

    def loseConnection(self) -> None:  # noqa: N802
        """End the line when what is written has left, and in any case in time: some take nothing of it."""
        super().loseConnection()
        if self._cut is None:
            self._cut = self.callLater(taken_within(self.written), self.transport.abortConnection)

    def _begin(self) -> None:
        self._began, self._body_bytes = time.monotonic(), 0
        self._clock = self.callLater(conf.current().handshake_seconds, self._look)

    def _end(self) -> None:
        self._began, self._body_bytes = None, 0
        if self._clock is not None and self._clock.active():
            self._clock.cancel()

    def _look(self) -> None:
        """End a line whose request is late; or look again, when a body came as quickly as a body may."""
        if self._began is None:
            return
        due = self._began + conf.current().handshake_seconds + self._body_bytes / BODY_BYTES_A_SECOND
        left = due - time.monotonic()
        if left > 0.01:
            self._clock = self.callLater(left, self._look)
            return
        metrics.refused.labels("408").inc()
        self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
        self.timeoutConnection()


def waits(headers: Headers) -> Over | None:
    """Return the limit for a handshake whose session has offended too often.

    The consumer says the same. But what comes before it, a request of Twisted's and a socket of the stock server's,
    costs many times what this does.
    """
    if not headers.hasHeader(b"Upgrade"):
        return None
    claim = claim_in({"headers": [(b"cookie", value) for value in headers.getRawHeaders(b"cookie", ())]})
    return Quotas.current().is_waiting(claim) if claim else None


def line_of() -> Any:
    """Return a new line as Twisted's HTTP factory wants it: it may still turn out to speak HTTP/2 behind TLS."""
    return http._GenericHTTPChannelProtocol(Line())


ONCE = (b"host", b"origin", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol", b"upgrade")
"""Headers that a request has once: who reads another one of two than the proxy in front has been fooled."""

ASCII = (*ONCE, b"x-forwarded-for", b"x-forwarded-port", b"x-forwarded-proto", b"sec-websocket-extensions")
"""Headers that are ASCII: the stock server raises over others, with a traceback for each."""


class Request(WebRequest):
    """A request that may become a socket: then it hands over what the client sent right behind its handshake.

    The stock one leaves these bytes with the HTTP channel, which waits with them for the end of the request.
    """

    flow: Flow | None = None

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        """Have more than a little of a body on the disk: Twisted keeps 100 kB of it in memory while it is not whole."""
        super().gotLength(length if length is not None and length <= LINE_BYTES else None)

    def give_up(self) -> None:
        """Cut the line of an answer that will not be completed."""
        if self._response_started and not (self.finished or self._disconnected or self.channel is None):
            self.channel.transport.abortConnection()

    def check_timeouts(self) -> None:
        """Leave a reader who does not go on: his answer keeps a thread and a connection to the database waiting."""
        flow, line = self.flow, getattr(self, "channel", None)  # Twisted deletes it at the end
        if flow is not None and line is not None and flow.full_for() > taken_within(line.written):
            self.give_up()
        super().check_timeouts()

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
        if has_reader:
            self.channel.written = len(message.get("body", b""))
        return self.flow

    def process(self) -> Any:
        wrong = self._wrong()
        if wrong or self.requestHeaders.hasHeader(b"Upgrade"):
            self.channel.persistent = False  # what follows a request that is refused is not taken for the next one
        if wrong:
            self.basic_error(400, b"Bad Request", wrong)
            return None
        # Daphne takes the prefix of every address from here, whoever sends it; its option --root-path remains.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        channel = self.channel
        done = super().process()
        line = getattr(channel, "transport", None)
        upgraded = getattr(line, "wrappedProtocol", None) or getattr(line, "protocol", None)  # the first behind TLS
        if isinstance(upgraded, WebSocketProtocol):
            channel.rawDataReceived = upgraded.dataReceived
            channel.requests.clear()  # the two know each other, and nothing will be asked of them any more
        return done

    def _wrong(self) -> str:
        """Return what is wrong with the headers; '' where nothing is. The stock server looks for control characters."""
        values = {name: self.requestHeaders.getRawHeaders(name, ()) for name in ASCII}
        for name in ONCE:
            if len(values[name]) > 1:
                return f"{name.decode()} is there twice"
        for name in ASCII:
            if not all(value.isascii() for value in values[name]):
                return f"{name.decode()} is no ASCII"
        return ""
