"""Whose pages may open a socket: those of ``ALLOWED_HOSTS``; and programs, which show a ticket or a token."""

from typing import Any

from channels.security.websocket import OriginValidator
from django.conf import settings

from ..credentials import are_unambient


class AllowedOrigins(OriginValidator):
    """Refuse with HTTP 403 a handshake whose ``Origin`` is foreign, or missing beside a mere cookie.

    A browser sends a cookie by itself, for a page of any site; ``Origin`` says which. A client without it is no
    browser, and is let in with what no page can add.
    """

    application: Any

    def __init__(self, application: Any) -> None:
        hosts = settings.ALLOWED_HOSTS
        super().__init__(application, ["localhost", "127.0.0.1", "[::1]"] if settings.DEBUG and not hosts else hosts)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        has_origin = any(name == b"origin" for name, _ in scope["headers"])
        if not has_origin and are_unambient(scope):
            return await self.application(scope, receive, send)
        return await super().__call__(scope, receive, send)
