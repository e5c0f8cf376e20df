"""Which address counts: the peer's, unless a listed proxy says another; garbage never raises."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest
from django.test import RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django import Settings

from realtime.address import address_in, address_of, believed, counted

pytestmark = pytest.mark.older

PROXIES = ["10.0.0.0/8", "2001:db8:ffff::/48"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "expected"),
    [
        ("198.51.100.7", "203.0.113.9", [], "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", PROXIES, "198.51.100.7"),
        ("11.0.0.1", "203.0.113.9", PROXIES, "11.0.0.1"),
        ("10.0.0.1", "203.0.113.9", PROXIES, "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9", PROXIES, "203.0.113.9"),
        ("2001:db8:ffff::1", "203.0.113.9", PROXIES, "203.0.113.9"),
        ("10.0.0.1", "127.0.0.1, 10.0.0.3, 203.0.113.9", PROXIES, "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.3", PROXIES, "203.0.113.9"),
        ("10.0.0.1", "10.0.0.4, 10.0.0.3", PROXIES, "10.0.0.4"),
        ("10.0.0.1", "", PROXIES, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, unknown", PROXIES, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", PROXIES, "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::9]:4711", PROXIES, "2001:db8::"),
        ("10.0.0.1", "2001:db8:1:2:3:4:5:6", PROXIES, "2001:db8:1:2::"),
        ("10.0.0.1", "fe80::1%eth0", PROXIES, "fe80::"),
        ("10.0.0.1", "١٠.0.0.1", PROXIES, "10.0.0.1"),
        ("10.0.0.1", ", ".join(["203.0.113.9"] + ["10.0.0.2"] * 40), PROXIES, "10.0.0.2"),
        ("", "203.0.113.9", PROXIES, ""),
        ("", "203.0.113.9", ["unix"], "203.0.113.9"),
        ("198.51.100.7", "203.0.113.9", ["unix"], "198.51.100.7"),
        ("testclient", "203.0.113.9", ["unix", *PROXIES], ""),
    ],
)
def test_only_what_listed_proxies_wrote_is_believed(
    peer: str, forwarded: str, trusted: Sequence[str], expected: str
) -> None:
    assert counted(believed(peer, forwarded, trusted)) == expected


@given(st.text(), st.text(alphabet="0123456789abcdef.:,[]%/ \x00xé", max_size=200))
@example("10.0.0.1", "," * 100_000)
@example("10.0.0.1", "9" * 100_000)
def test_no_text_raises_and_what_counts_is_an_address(peer: str, forwarded: str) -> None:
    for trusted in ([], PROXIES, ["0.0.0.0/0", "::/0", "unix"]):
        found = counted(believed(peer, forwarded, trusted))
        assert found == "" or counted(ip_address(found)) == found


def test_a_customer_with_ipv6_is_one_address() -> None:
    addresses = {counted(ip_address(f"2001:db8:0:1:{number:x}::1")) for number in range(1000)}
    assert addresses == {"2001:db8:0:1::"}


def test_scopes_and_requests_are_read_alike(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "TRUSTED_PROXIES": ["10.0.0.1"]}
    said = ["203.0.113.9", "192.0.2.1"]  # two lines are one list
    headers = [(b"x-forwarded-for", line.encode()) for line in said]
    assert address_in({"client": ("10.0.0.1", 4711), "headers": headers}) == "192.0.2.1"
    assert address_in({"client": None, "headers": headers}) == address_in({}) == ""
    request = RequestFactory().get("/", headers={"X-Forwarded-For": ", ".join(said)}, REMOTE_ADDR="10.0.0.1")
    assert address_of(request) == "192.0.2.1"
    settings.REALTIME = {**settings.REALTIME, "TRUSTED_PROXIES": []}
    assert address_of(request) == "10.0.0.1"
