"""What a handshake or a request brings to say who it is: a ticket, a bearer token, or what its session claims."""

from collections.abc import Mapping
from typing import Any

from . import bearer
from .identity import Claim, claim_in

TICKET = "ticket."


def ticket_in(scope: Mapping[str, Any]) -> str:
    """Return the ticket among the subprotocols that a client offers; '' where there is none.

    >>> ticket_in({"subprotocols": ["order-sync.v1", "ticket.abc"]}), ticket_in({})
    ('abc', '')
    """
    offered = (name for name in scope.get("subprotocols", ()) if name.startswith(TICKET))
    return next(offered, "").removeprefix(TICKET)


def bearer_in(scope: Mapping[str, Any]) -> str:
    """Return the token of the ``Authorization`` header; '' where there is none.

    >>> bearer_in({"headers": [(b"authorization", b"Bearer a.b.c")]}), bearer_in({"headers": [(b"host", b"b")]})
    ('a.b.c', '')
    """
    for name, value in scope.get("headers", ()):
        kind, _, token = value.decode("latin-1").partition(" ")
        if name == b"authorization" and kind.lower() == "bearer":
            return str(token.strip())
    return ""


def are_unambient(scope: Mapping[str, Any]) -> bool:
    """Return whether a handshake brings what no page of another site could: a browser adds neither by itself."""
    return bool(ticket_in(scope) or bearer_in(scope))


def claim_without_ticket(scope: Mapping[str, Any]) -> Claim | None:
    """Return what a scope claims by its token, or by its session where it has none. A token that is bad is nobody's."""
    token = bearer_in(scope)
    return bearer.claim_in(token) if token else claim_in(scope)
