"""From which address somebody asks."""

import ipaddress

from django.http import HttpRequest


def address_of(request: HttpRequest) -> str | None:
    """Return the address at the other end of the line; ``None`` where there is none, as behind a Unix socket.

    >>> request = HttpRequest()
    >>> request.META["REMOTE_ADDR"] = "192.0.2.7"
    >>> address_of(request)
    '192.0.2.7'
    """
    try:
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0]))
    except ValueError:
        return None
