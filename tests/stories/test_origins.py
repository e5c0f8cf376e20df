"""Whose page may open a socket: ours. A program without a page shows a ticket or a token (PROTOCOL §2 and §6)."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import websockets
from asgiref.sync import sync_to_async
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.test import override_settings

from accounts.models import User
from realtime import bearer, tickets
from realtime.identity import claim_of
from tests.engines import child_environment
from tests.people import Cast, cast
from tests.server import Server, running, session_of

KEYS = {"one": "k" * 64}


@pytest.fixture(scope="module")
def house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), child_environment(), token_keys=KEYS) as server:
        yield server
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "ticket." not in log, "a ticket must not reach a log"


async def opened(
    server: Server,
    people: Cast,
    *,
    origin: str | None = None,
    cookie: str = "",
    ticket: str = "",
    token: str = "",
    host: str = "",
    scheme: str = "",
) -> Any:
    """Return the type of the first frame; a number is the status of a handshake that was refused.

    ``host`` and ``scheme`` are what a proxy says that its client has asked for.
    """
    headers = {"Cookie": f"sessionid={cookie}"} if cookie else {}
    headers |= {"X-Forwarded-Proto": scheme} if scheme else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    protocols = ["order-sync.v1", *([f"ticket.{ticket}"] if ticket else [])]
    try:
        async with websockets.connect(
            f"ws://{host or f'127.0.0.1:{server.port}'}/ws/orders/{people.order.pk}/",
            host="127.0.0.1",
            port=server.port,
            additional_headers=headers,
            origin=websockets.Origin(origin) if origin else None,
            subprotocols=[websockets.Subprotocol(name) for name in protocols],
            compression=None,
        ) as socket:
            assert socket.subprotocol == "order-sync.v1"
            return await socket.recv()
    except websockets.InvalidStatus as error:
        return error.response.status_code


def ticket_of(user: User) -> str:
    claim = claim_of(user, None)
    assert claim is not None
    return tickets.issue(claim)


@pytest.mark.older
async def test_pages_of_other_sites_are_refused_whatever_they_show(house: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    ticket = await sync_to_async(ticket_of)(people.client)
    for origin in ("http://evil.example", "null", "http://127.0.0.1.evil.example", "file://"):
        assert await opened(house, people, origin=origin, cookie=session) == 403, origin
        assert await opened(house, people, origin=origin, ticket=ticket) == 403, origin
    assert await opened(house, people, cookie=session) == 403, "no origin and a mere cookie"
    assert await opened(house, people) == 403


@pytest.mark.older
async def test_a_program_is_let_in_with_a_ticket_or_a_token(house: Server) -> None:
    people = await sync_to_async(cast)()
    ticket = await sync_to_async(ticket_of)(people.client)
    with override_settings(REALTIME={"TOKEN_KEYS": KEYS}):
        token = await sync_to_async(bearer.issue)(people.client, timedelta(minutes=1))
    assert '"welcome"' in await opened(house, people, ticket=ticket)
    assert '"welcome"' in await opened(house, people, token=token)


@pytest.mark.older
async def test_our_own_pages_may_show_a_ticket_as_well(house: Server) -> None:
    people = await sync_to_async(cast)()
    ticket = await sync_to_async(ticket_of)(people.client)
    assert '"welcome"' in await opened(house, people, origin=house.url, ticket=ticket)


# -- Ours is what Django's CSRF check takes for ours: scheme and host of the handshake itself.


@pytest.fixture(scope="module")
def open_house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Behind a proxy that speaks TLS, and for whatever host: another site may be on one of them."""
    trusted = {"ALLOWED_HOSTS": "*", "TRUST_PROXY": "1"}
    trusted["CSRF_TRUSTED_ORIGINS"] = "https://*.shop.example,http://desk.example:8080"
    with running(tmp_path_factory.mktemp("open"), child_environment() | trusted) as server:
        yield server


@pytest.mark.older
async def test_another_site_on_our_own_host_is_foreign(house: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    for origin in (f"http://127.0.0.1:{house.port + 1}", "http://127.0.0.1", f"https://127.0.0.1:{house.port}"):
        assert await opened(house, people, origin=origin, cookie=session) == 403, origin
    assert await opened(house, people, origin=f"http://localhost:{house.port}", cookie=session) == 403
    for name in ("127.0.0.1", "localhost"):
        host = f"{name}:{house.port}"
        assert '"welcome"' in await opened(house, people, origin=f"http://{host}", host=host, cookie=session)


@pytest.mark.older_long
async def test_any_allowed_host_is_no_leave_for_any_page(open_house: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{open_house.port}/"):
        assert await opened(open_house, people, origin=origin, cookie=session) == 403, origin
    own = {"origin": "http://boost.example", "host": "boost.example"}
    assert '"welcome"' in await opened(open_house, people, **own, cookie=session)


@pytest.mark.older_long
async def test_behind_a_proxy_its_word_decides_the_scheme(open_house: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    asked = {"host": "boost.example", "cookie": session}
    secure = {"origin": "https://boost.example", **asked}
    assert '"welcome"' in await opened(open_house, people, **secure, scheme="https")
    assert await opened(open_house, people, **secure, scheme="http") == 403
    assert await opened(open_house, people, **secure) == 403
    assert await opened(open_house, people, origin="http://boost.example", **asked, scheme="https") == 403


@pytest.mark.older_long
async def test_trusted_origins_are_read_as_django_reads_them(open_house: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    for origin in ("https://a.shop.example", "https://a.b.shop.example", "http://desk.example:8080"):
        assert '"welcome"' in await opened(open_house, people, origin=origin, cookie=session), origin
    for origin in (
        "http://a.shop.example",
        "https://a.shop.example:8443",
        "https://ashop.example",
        "https://a.shop.example.evil.example",
        "http://desk.example",
        "https://desk.example:8080",
    ):
        assert await opened(open_house, people, origin=origin, cookie=session) == 403, origin


# -- Daphne speaks TLS itself.


class Encrypted(Server):
    """The same with a certificate of its own, and nobody in front."""

    @property
    def command(self) -> Sequence[str | Path]:
        files = f"privateKey={self.log.parent / 'key.pem'}:certKey={self.log.parent / 'own.pem'}"
        return [*self.daphne, "-e", f"ssl:{self.port}:{files}:interface=127.0.0.1", self.application]

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10):
                return True
        except OSError:
            return False


def certify(folder: Path) -> ssl.SSLContext:
    """Write ``own.pem`` and its key; return who believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "own.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return ssl.create_default_context(cafile=str(folder / "own.pem"))


@pytest.mark.older_long
async def test_without_a_proxy_the_line_decides_the_scheme(db: None, tmp_path: Path) -> None:
    believes = certify(tmp_path)
    people = await sync_to_async(cast)()
    cookie = {"Cookie": f"sessionid={await sync_to_async(session_of)(people.client)}"}
    with running(tmp_path, child_environment(), Encrypted) as server:

        async def told(origin: str) -> Any:
            line = websockets.connect(
                f"wss://127.0.0.1:{server.port}/ws/orders/{people.order.pk}/",
                additional_headers=cookie,
                origin=websockets.Origin(origin),
                ssl=believes,
                compression=None,
            )
            try:
                async with line as opened:
                    return await opened.recv()
            except websockets.InvalidStatus as error:
                return error.response.status_code

        assert '"order.update"' in await told(server.url)
        assert await told(f"http://127.0.0.1:{server.port}") == 403
