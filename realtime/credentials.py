"""What a handshake or a request brings to say who it is: a ticket, or what one of ``AUTHENTICATORS`` knows to read."""

from collections.abc import Awaitable, Mapping
from functools import cache
from typing import Any, ClassVar, Protocol

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string

from . import bearer, conf, identity, metrics
from .identity import Claim, accounts
from .middleware import Middleware

TICKET = "ticket."
LOOKING = ("GET", "HEAD", "OPTIONS")
"""The methods of who only looks, by RFC 9110: what else a request does, it does something."""
Scope = Mapping[str, Any]


class Authenticator(Protocol):
    """A way to say who one is. ``scope`` is ASGI's, of a socket; of a request it has the ``headers`` only.

    Reads no database: whether a claim holds is asked for many at once, and again while a socket is open.
    """

    is_ambient: ClassVar[bool]
    """Whether browsers add it by themselves, as they do cookies: then the ``Origin`` must be ours."""

    def is_shown(self, scope: Scope) -> bool:
        """Return whether the scope brings this kind of proof, good or bad; the first that is shown decides."""
        ...

    def claim(self, scope: Scope) -> Claim | None:
        """Return what is claimed by it; ``None`` where it is no proof: then it is nobody who asks."""
        ...


class Bearer:
    """The token of ``Authorization: Bearer``."""

    is_ambient: ClassVar[bool] = False

    def is_shown(self, scope: Scope) -> bool:
        return bool(bearer_in(scope))

    def claim(self, scope: Scope) -> Claim | None:
        return bearer.claim_in(bearer_in(scope))


class Session:
    """The session's cookie, or the user whom a middleware has put into the scope."""

    is_ambient: ClassVar[bool] = True

    def is_shown(self, scope: Scope) -> bool:
        return identity.claim_in(scope) is not None

    def claim(self, scope: Scope) -> Claim | None:
        return identity.claim_in(scope)


def ticket_in(scope: Scope) -> str:
    """Return the ticket among the subprotocols that a client offers; '' where there is none.

    >>> ticket_in({"subprotocols": ["order-sync.v1", "ticket.abc"]}), ticket_in({})
    ('abc', '')
    """
    offered = (name for name in scope.get("subprotocols", ()) if name.startswith(TICKET))
    return next(offered, "").removeprefix(TICKET)


def bearer_in(scope: Scope) -> str:
    """Return the token of the ``Authorization`` header; '' where there is none.

    >>> bearer_in({"headers": [(b"authorization", b"Bearer a.b.c")]}), bearer_in({"headers": [(b"host", b"b")]})
    ('a.b.c', '')
    """
    for name, value in scope.get("headers", ()):
        kind, _, token = value.decode("latin-1").partition(" ")
        if name == b"authorization" and kind.lower() == "bearer":
            return str(token.strip())
    return ""


def shown_in(scope: Scope) -> Authenticator | None:
    """Return the first authenticator whose proof ``scope`` brings; ``None``: it brings none."""
    known = _authenticators(tuple(conf.current().authenticators))
    return next((found for found in known if found.is_shown(scope)), None)


def is_unambient(scope: Scope) -> bool:
    """Return whether a proof decides that no browser adds by itself; a ticket apart."""
    shown = shown_in(scope)
    return shown is not None and not shown.is_ambient


def claim_without_ticket(scope: Scope) -> Claim | None:
    """Return what a scope claims by anything but a ticket. A proof that is bad is nobody's."""
    shown = shown_in(scope)
    return shown.claim(scope) if shown else None


@cache
def _authenticators(paths: tuple[str, ...]) -> tuple[Authenticator, ...]:
    return tuple(import_string(path)() for path in paths)


class CredentialsMiddleware(Middleware):
    """A request under ``TOKEN_PATHS`` with a proof that no browser adds by itself is made by whom it stands for; by
    nobody when it is bad.

    Elsewhere such a proof says nothing: who has a token of somebody's has his API, and not his pages nor the admin
    site, where no second proof and no CSRF token would be asked for. Stands after ``AuthenticationMiddleware``. No page
    of another site can make a browser send such a proof, so the request needs no CSRF token; the session's cookie
    beside it does not count. A proof that reads only is refused where something is done (403).
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        sent = request.headers.items()
        scope = {"headers": [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in sent]}
        is_taken = request.path_info.startswith(tuple(conf.current().token_paths))
        shown = shown_in(scope) if is_taken else None
        if shown is not None and not shown.is_ambient:
            claim = shown.claim(scope)
            if claim is not None and claim.reads_only and request.method not in LOOKING:
                return self.given(_refused())
            _rest_on(claim, request)
        return self.get_response(request)


def _refused() -> HttpResponseBase:
    metrics.refused.labels("403").inc()
    message = f"This token reads only. Use {', '.join(LOOKING)}, or a token without that scope."
    answer = JsonResponse({"error": {"code": "read_only", "message": message}}, status=403)
    answer["Cache-Control"] = "no-store"
    return answer


def _rest_on(claim: Claim | None, request: Any) -> None:
    """Have ``request`` be made by whom ``claim`` stands for; read when it is asked, and once."""
    found: list[Any] = []

    def user() -> Any:
        if not found:
            found.append(accounts([claim]).get(claim) if claim else None)
        return found[0] or AnonymousUser()

    request.claim = claim
    request.user = SimpleLazyObject(user)
    request.auser = sync_to_async(user)
    request._dont_enforce_csrf_checks = True
