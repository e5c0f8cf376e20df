"""From which address somebody asks."""

from django.http import HttpRequest

from realtime import address


def address_of(request: HttpRequest) -> str | None:
    """Return the address that limits count; ``None`` where there is none, as behind a Unix socket.

    Behind a proxy of ``TRUSTED_PROXIES`` it is the client's; of IPv6 the /64.

    >>> request = HttpRequest()
    >>> request.META["REMOTE_ADDR"] = "192.0.2.7"
    >>> address_of(request)
    '192.0.2.7'
    """
    return address.address_of(request) or None


def whole_address_of(request: HttpRequest) -> str | None:
    """Return the address as it is, for what is written down of somebody: of IPv6 all of it.

    >>> request = HttpRequest()
    >>> request.META["REMOTE_ADDR"] = "2001:db8:1:2:3:4:5:6"
    >>> whole_address_of(request), address_of(request)
    ('2001:db8:1:2:3:4:5:6', '2001:db8:1:2::')
    """
    return address.whole_address_of(request) or None
