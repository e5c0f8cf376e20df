"""Refusing a handshake with an HTTP status of our choice: ASGI's extension ``websocket.http.response``, for Daphne.

The stock server knows 403 and no header. uvicorn has the extension itself.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from autobahn.websocket.types import ConnectionDeny

EXTENSION = "websocket.http.response"


class Denying:
    """What Daphne's socket needs for it. Headers are sent, a body is not: autobahn cuts the line behind them."""

    handshake_deferred: Any
    server: Any
    state: int
    STATE_CONNECTING: int
    _denial: Any = None

    def handle_reply(self, message: Any) -> None:
        if message["type"] == f"{EXTENSION}.start":
            self._denial = message
        elif message["type"] == f"{EXTENSION}.body":
            if not message.get("more_body"):
                self._deny(HTTPStatus(self._denial["status"]))
        else:
            super().handle_reply(message)  # type: ignore[misc]

    def _deny(self, status: HTTPStatus) -> bool:
        """Answer a handshake that waits; return whether one did."""
        if self.state != self.STATE_CONNECTING or not hasattr(self, "handshake_deferred"):
            return False
        denial = ConnectionDeny(code=status.value, reason=status.phrase)  # type: ignore[no-untyped-call]
        self.handshake_deferred.errback(denial)
        del self.handshake_deferred
        self.server.protocol_disconnected(self)
        return True

    def failHandshake(  # noqa: N802 (autobahn names it)
        self,
        reason: str,
        code: int = 400,
        responseHeaders: Iterable[tuple[str, str]] | None = None,  # noqa: N803
    ) -> None:
        headers = responseHeaders
        if self._denial is not None:
            given = self._denial.get("headers", ())
            said = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in given]
            headers = [*said, ("Content-Length", "0"), ("Connection", "close")]
        super().failHandshake(reason, code, headers)  # type: ignore[misc]
