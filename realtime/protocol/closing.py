"""Close codes of PROTOCOL §5: what a socket's end means, and what the client should do."""

from enum import IntEnum


class Close(IntEnum):
    """Why the server ends a socket.

    >>> Close.NOT_FOUND.value, Close.NOT_FOUND.reconnect, Close.DRAIN.reconnect
    (4404, False, True)
    """

    LEFT = 1000
    TOO_BIG = 1009
    OVERLOADED = 1013
    DRAIN = 4012
    PROTOCOL_ERROR = 4400
    NOT_AUTHENTICATED = 4401
    NOT_FOUND = 4404
    SESSION_ENDED = 4405
    SILENT = 4408
    TOO_SLOW = 4413
    LIMITED = 4429
    INTERNAL = 4500

    @property
    def reconnect(self) -> bool:
        """Whether the same client may come back and find things well."""
        return self in _TEMPORARY

    @property
    def patience(self) -> float:
        """Seconds that a client waits at least before it comes back."""
        return 5.0 if self in _PATIENT else 0.0

    @property
    def meaning(self) -> str:
        """What ``goodbye`` says."""
        return _MEANING[self]


_TEMPORARY = {Close.OVERLOADED, Close.DRAIN, Close.SILENT, Close.TOO_SLOW, Close.LIMITED, Close.INTERNAL}
_PATIENT = {Close.OVERLOADED, Close.LIMITED}

OFFENCES = frozenset({1002, 1007, Close.TOO_BIG, Close.PROTOCOL_ERROR, Close.LIMITED})
"""Codes of sockets that were closed for what their client sent: no client does so in good order."""

_MEANING = {
    Close.LEFT: "you left",
    Close.TOO_BIG: "that frame was too big",
    Close.OVERLOADED: "the server has more than it can do",
    Close.DRAIN: "the server is being replaced",
    Close.PROTOCOL_ERROR: "that was not the protocol",
    Close.NOT_AUTHENTICATED: "not authenticated",
    Close.NOT_FOUND: "there is nothing here for you",
    Close.SESSION_ENDED: "your session has ended",
    Close.SILENT: "nothing was heard of you",
    Close.TOO_SLOW: "you read too slowly",
    Close.LIMITED: "too much at once",
    Close.INTERNAL: "something failed here",
}
