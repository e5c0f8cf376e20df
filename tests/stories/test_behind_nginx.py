"""A marketplace behind nginx, configured word for word as docs/how-to/nginx.md says."""

import asyncio
import re
import signal
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest
import websockets
from asgiref.sync import sync_to_async
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from orders.services import order_write_note
from tests import nginx
from tests.engines import child_environment, own_valkey
from tests.knocking import SYNC
from tests.people import Cast, cast
from tests.server import PATIENCE, Server, running, session_of, state_of, unbroken
from tests.streams import ask, source

pytestmark = [pytest.mark.skipif(nginx.program() is None, reason="nginx is not installed")]

NEVER = 0.001
LIMITS = {"USER_SOCKETS": 3, "HANDSHAKES_BURST": 20, "HANDSHAKES_RATE": NEVER}

note = sync_to_async(order_write_note)


@pytest.fixture(scope="module")
def house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[nginx.Nginx, Server]]:
    """nginx with a certificate, and a server behind it with limits, secure cookies and no address but nginx's."""
    folder = tmp_path_factory.mktemp("house")
    environment = child_environment() | {"HTTPS": "1", "TRUST_PROXY": "1", "ALLOWED_HOSTS": "127.0.0.1"}
    with (
        own_valkey() as valkey,  # what is counted of this machine's address stays there
        running(
            folder, environment | {"REDIS_URL": valkey.url}, trusted_proxies=["127.0.0.1"], limits=LIMITS
        ) as server,
    ):
        front = nginx.Nginx(server, folder)
        front.start()
        try:
            yield front, server
        finally:
            front.stop()
        assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


@pytest.fixture
def front(house: tuple[nginx.Nginx, Server]) -> nginx.Nginx:
    return house[0]


async def people_with_a_note(words: str) -> Cast:
    people = await sync_to_async(cast)()
    await note(order_id=people.order.pk, note=words, by=people.client)
    return people


async def test_a_change_comes_through_by_every_way(front: nginx.Nginx) -> None:
    people = await people_with_a_note("before")
    order = f"/api/orders/{people.order.pk}"
    async with (
        front.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch,
        source(front, f"{order}/stream", people.client) as stream,
    ):
        first = await watch.next()
        await stream.until("order.update", version=first["version"])
        tag = (await ask(front, f"{order}/state", people.client)).headers["etag"]
        asked = {"If-None-Match": tag}
        waiting = asyncio.create_task(ask(front, f"{order}/state?wait=25", people.client, headers=asked))
        await note(order_id=people.order.pk, note="after", by=people.client)
        seen = await watch.until(first["version"] + 1)
        unbroken(watch.frames)
        assert seen["note"] == "after"
        assert state_of(await stream.until("order.update", version=seen["version"])) == state_of(seen)
        assert (await waiting).json()["version"] == seen["version"]


async def test_people_log_in_and_their_cookie_stays_on_https(front: nginx.Nginx) -> None:
    people = await sync_to_async(cast)()
    people.client.password = PBKDF2PasswordHasher().encode("demo", "salt")  # tests hash quickly, the server does not
    await people.client.asave()
    cookies = CookieJar()
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=front.tls), urllib.request.HTTPCookieProcessor(cookies)
    )

    def log_in() -> str:
        page = f"{front.url}/accounts/login/"
        shown = opener.open(page, timeout=PATIENCE).read().decode()
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', shown)
        assert found
        said = {"csrfmiddlewaretoken": found[1], "username": people.client.username, "password": "demo"}
        answer = opener.open(
            urllib.request.Request(page, urlencode(said).encode(), {"Referer": page}), timeout=PATIENCE
        )
        return str(answer.url)

    assert not (await asyncio.to_thread(log_in)).endswith("/login/")
    assert {cookie.name: cookie.secure for cookie in cookies} == {"csrftoken": True, front.cookie: True}


async def knocked(front: nginx.Nginx, session: str, *, at: str, **headers: str) -> int:
    """Return how a handshake from the address ``at`` of this machine ends: 101, or what it is refused with."""
    try:
        async with websockets.connect(
            f"{front.ws_url}/ws/orders/",
            additional_headers={"Cookie": f"{front.cookie}={session}", **headers},
            origin=websockets.Origin(front.url),
            subprotocols=[websockets.Subprotocol(SYNC)],
            ssl=front.tls,
            local_addr=(at, 0),
        ):
            return 101
    except websockets.InvalidStatus as refusal:
        return int(refusal.response.status_code)


async def test_each_client_has_his_own_limit_and_nobody_claims_another_address(front: nginx.Nginx) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.manager)
    codes = [await knocked(front, session, at="127.0.2.1", **{"X-Forwarded-For": f"192.0.2.{n}"}) for n in range(25)]
    assert codes == [101] * 20 + [429] * 5, "another address is believed, or nginx's own is counted"
    assert await knocked(front, session, at="127.0.2.2") == 101, "somebody else"


async def test_nginx_refuses_what_is_too_large_before_it_is_passed_on(front: nginx.Nginx) -> None:
    large = urllib.request.Request(f"{front.url}/api/orders", b"x" * (1024 * 1024 + 1))
    with pytest.raises(HTTPError) as refusal:
        await asyncio.to_thread(urllib.request.urlopen, large, timeout=PATIENCE, context=front.tls)
    with refusal.value as answer:
        assert (answer.code, answer.headers["Server"].partition("/")[0]) == (413, "nginx")


async def test_a_server_that_stops_says_so_to_those_behind_nginx(house: tuple[nginx.Nginx, Server]) -> None:
    front, server = house
    people = await people_with_a_note("before")
    async with front.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        await watch.next()
        assert server.child is not None
        server.child.send_signal(signal.SIGTERM)
        assert await watch.closed() == 4012
        await asyncio.to_thread(server.child.wait, PATIENCE)
    server.start()
    async with front.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        assert (await watch.next())["note"] == "before"
