"""Whose pages may open a socket: those of ``ALLOWED_HOSTS``; and programs, which show a ticket or a token."""

from typing import Any

from channels.security.websocket import OriginValidator, WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from ..credentials import is_unambient, ticket_in


class AllowedOrigins(OriginValidator):
    """Refuse with HTTP 403 a handshake whose ``Origin`` is foreign, or missing beside a mere cookie; one for a ``Host``
    that is not ours; and one with a body, which somebody in between may take for another request.

    A browser sends a cookie by itself, for a page of any site; ``Origin`` says which. A client without it is no
    browser, and is let in with what no page can add.
    """

    application: Any

    def __init__(self, application: Any) -> None:
        hosts = settings.ALLOWED_HOSTS
        self._hosts = ["localhost", "127.0.0.1", "[::1]"] if settings.DEBUG and not hosts else hosts
        super().__init__(application, self._hosts)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        has_body = any(name in (b"transfer-encoding", b"content-length") for name, _ in scope["headers"])
        if len(origins) > 1 or has_body or not self._is_ours(scope["headers"]):
            return await WebsocketDenier()(scope, receive, send)
        if not origins and (ticket_in(scope) or is_unambient(scope)):
            return await self.application(scope, receive, send)
        return await super().__call__(scope, receive, send)

    def _is_ours(self, headers: Any) -> bool:
        """Return whether the handshake is for one of our hosts; one that names none comes from inside the process."""
        sent = {name: [value for other, value in headers if other == name] for name in (b"host", b"x-forwarded-host")}
        named = (settings.USE_X_FORWARDED_HOST and sent[b"x-forwarded-host"]) or sent[b"host"]
        domains = [split_domain_port(host.decode("latin-1"))[0] for host in named]
        return len(domains) < 2 and all(validate_host(domain, self._hosts) for domain in domains)
