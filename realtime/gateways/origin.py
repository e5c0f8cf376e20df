"""Whose pages may open a socket: our own, those of ``CSRF_TRUSTED_ORIGINS``; and programs, which show a ticket or a
token.
"""

from typing import Any
from urllib.parse import SplitResult, urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.utils.http import is_same_domain

from ..credentials import is_unambient, ticket_in
from ..text import storable


class AllowedOrigins:
    """Refuse with HTTP 403 a handshake whose ``Origin`` is foreign, or missing beside a mere cookie; one for a ``Host``
    that is not ours; and one with a body, which somebody in between may take for another request.

    A browser sends a cookie by itself, for a page of any site; ``Origin`` says which. What is not foreign is what
    Django's CSRF check takes: the scheme and the ``Host`` of this very handshake, or a trusted origin. That another
    site is on a host of ``ALLOWED_HOSTS`` does not make it ours. A client without ``Origin`` is no browser, and is let
    in with what no page can add.

    What is let in has no cookie that no database can be asked for: ``AuthMiddlewareStack``, behind it, would ask.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        sent = [name for name, _ in scope["headers"]]
        has_body = b"transfer-encoding" in sent or b"content-length" in sent
        is_doubled = any(sent.count(name) > 1 for name in (b"origin", b"host", b"x-forwarded-host"))
        if has_body or is_doubled or not _is_allowed(scope, Handshake(scope)):
            return await WebsocketDenier()(scope, receive, send)
        return await self.application({**scope, "headers": storable(scope["headers"])}, receive, send)


class Handshake(HttpRequest):
    """A handshake as Django sees requests: its ``Host`` and its scheme, by the same settings."""

    def __init__(self, scope: Any) -> None:
        super().__init__()
        for name, value in scope["headers"]:
            if b"_" not in name:  # a proxy lets it pass beside the header that it sets
                self.META[f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"] = value.decode("latin-1")
        server, port = scope.get("server") or ("unknown", 0)
        self.META |= {"SERVER_NAME": server, "SERVER_PORT": str(port)}
        self._is_secure = scope.get("scheme") in ("wss", "https")

    def _get_scheme(self) -> str:
        return "https" if self._is_secure else "http"


def _is_allowed(scope: Any, handshake: Handshake) -> bool:
    origin = handshake.META.get("HTTP_ORIGIN")
    is_named = "HTTP_HOST" in handshake.META  # one that names no host comes from inside the process
    try:
        host = handshake.get_host() if is_named else ""
    except DisallowedHost:
        return False
    if origin is None:
        return bool(ticket_in(scope)) or is_unambient(scope)
    return (is_named and origin == f"{handshake.scheme}://{host}") or _is_trusted(origin)


def _is_trusted(origin: str) -> bool:
    """Return whether ``origin`` is one of ``CSRF_TRUSTED_ORIGINS``, as Django reads them: ``https://*.example.org``."""
    try:
        shown = urlsplit(origin)
    except ValueError:
        return False
    return any(origin == known or _is_below(shown, urlsplit(known)) for known in settings.CSRF_TRUSTED_ORIGINS)


def _is_below(shown: SplitResult, known: SplitResult) -> bool:
    """Return whether an origin is of a domain that is written with a star.

    >>> star = urlsplit("https://*.example.org")
    >>> [_is_below(urlsplit(f"https://{host}"), star) for host in ("a.example.org", "aexample.org", "example.com")]
    [True, False, False]
    """
    is_star = known.netloc.startswith("*.")
    return is_star and shown.scheme == known.scheme and is_same_domain(shown.netloc, known.netloc.removeprefix("*"))
