"""From where a handshake or a request comes: the address that its limits are counted for.

The peer of the connection counts. Only when it is a proxy of ``REALTIME["TRUSTED_PROXIES"]`` is ``X-Forwarded-For``
read, from the right: the first address that is no such proxy is the client; what stands left of it anybody can write.

``address_of(request)`` is for plain HTTP as well, such as the protection of log-ins.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from . import conf

Address = IPv4Address | IPv6Address

UNIX = "unix"
"""In ``TRUSTED_PROXIES``: a peer without an address, as that of a UNIX socket."""
HOPS_AT_MOST = 32
"""Entries of ``X-Forwarded-For`` that are read; longer chains of our own proxies there are none."""
LONGEST = 64
"""Characters of an entry that may be an address."""


def address_in(scope: Mapping[str, Any]) -> str:
    """Return the address behind an ASGI scope, as it is counted; '' where it is not known."""
    client = scope.get("client")
    said = b",".join(value for name, value in scope.get("headers", ()) if name == b"x-forwarded-for")
    return counted(believed(str(client[0] or "") if client else "", said.decode("latin-1"), _trusted()))


def address_of(request: Any) -> str:
    """Return the address behind a Django request, as it is counted; '' where it is not known."""
    said = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return counted(believed(request.META.get("REMOTE_ADDR", ""), said, _trusted()))


def whole_address_of(request: Any) -> str:
    """Return the address behind a Django request as it is, of IPv6 all of it; '' where it is not known."""
    said = request.META.get("HTTP_X_FORWARDED_FOR", "")
    found = believed(request.META.get("REMOTE_ADDR", ""), said, _trusted())
    if found is None:
        return ""
    plain = _plain(found)
    return str(plain) if isinstance(plain, IPv4Address) else str(IPv6Address(int(plain)))  # without a scope: %eth0


def believed(peer: str, forwarded: str, trusted: Sequence[str]) -> Address | None:
    """Return who stands behind ``peer``; ``forwarded`` counts as far as ``trusted`` proxies have written it.

    >>> str(believed("198.51.100.7", "203.0.113.9", ["10.0.0.0/8"]))                    # forged
    '198.51.100.7'
    >>> str(believed("10.0.0.1", "127.0.0.1, 203.0.113.9, 10.0.0.2", ["10.0.0.0/8"]))   # the left one is forged
    '203.0.113.9'
    >>> str(believed("10.0.0.1", "no address", ["10.0.0.0/8"]))                         # the nearest that is known
    '10.0.0.1'
    """
    here = _parsed(peer)
    if not (UNIX in trusted if here is None and not peer else _is_among(here, trusted)):
        return here
    for hop in reversed(forwarded.rsplit(",", HOPS_AT_MOST)[-HOPS_AT_MOST:]):
        found = _parsed(hop)
        if found is None:
            break
        here = found
        if not _is_among(here, trusted):
            break
    return here


def counted(address: Address | None) -> str:
    """Return what is counted as one address: of IPv6 its /64, which is what one customer gets; '' for none.

    It is an address itself, so that it may be stored as one.

    >>> [counted(ip_address(text)) for text in ("203.0.113.9", "2001:db8:1:2:3:4:5:6", "::ffff:203.0.113.9")]
    ['203.0.113.9', '2001:db8:1:2::', '203.0.113.9']
    """
    if address is None:
        return ""
    plain = _plain(address)
    return str(plain) if isinstance(plain, IPv4Address) else str(IPv6Address(int(plain) >> 64 << 64))


def is_loopback(address: str) -> bool:
    """Return whether an address as it is counted is this machine's own; one that is not known came over no network.

    >>> [is_loopback(text) for text in ("127.0.0.1", "::", "", "203.0.113.9", "2001:db8::")]
    [True, True, True, False, False]
    """
    return not address or address == "::" or ip_address(address).is_loopback


def _trusted() -> Sequence[str]:
    return conf.current().trusted_proxies


def _is_among(address: Address | None, trusted: Sequence[str]) -> bool:
    if address is None or not trusted:
        return False
    networks = (_network(text) for text in trusted)
    return any(network is not None and _plain(address) in network for network in networks)


@cache
def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


def _plain(address: Address) -> Address:
    """Return IPv4 for what is written as IPv6 (``::ffff:…``)."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _parsed(text: str) -> Address | None:
    """Return the address in an entry, which may carry a port; ``None`` where there is none."""
    text = text.strip() if len(text) <= 2 * LONGEST else ""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return ip_address(text) if len(text) <= LONGEST else None
    except ValueError:
        return None
