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


_TEMPORARY = {Close.OVERLOADED, Close.DRAIN, Close.SILENT, Close.TOO_SLOW, Close.LIMITED, Close.INTERNAL}
