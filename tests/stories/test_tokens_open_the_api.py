"""A bearer token opens the API, streams and sockets; on pages and in the admin site it is nobody's (SECURITY.md)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import websockets
from asgiref.sync import sync_to_async
from django.test import override_settings

from accounts.models import Role, User
from realtime import bearer
from tests.engines import child_environment
from tests.people import cast, person
from tests.server import Server, Watch, running, session_of, state_of
from tests.streams import ask, source

pytestmark = pytest.mark.older_long

KEYS = {"one": "k" * 64}


@pytest.fixture(scope="module")
def house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), child_environment(), token_keys=KEYS) as server:
        yield server
    assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="module")
async def admin(house: Server) -> User:
    found = await sync_to_async(person)(Role.ADMIN)
    found.is_staff = found.is_superuser = True
    await sync_to_async(found.save)()
    return found


@sync_to_async
def token_of(user: User, *, reads_only: bool = False) -> dict[str, str]:
    with override_settings(REALTIME={"TOKEN_KEYS": KEYS}):
        return {"Authorization": f"Bearer {bearer.issue(user, timedelta(minutes=5), reads_only=reads_only)}"}


@pytest.mark.parametrize("path", ["/", "/admin/", "/admin/accounts/user/", "/apiary", "/api", "/accounts/login/"])
async def test_on_pages_it_is_nobodys(house: Server, admin: User, path: str) -> None:
    shown = await ask(house, path, headers=await token_of(admin))
    without = await ask(house, path)
    assert (shown.status, shown.headers.get("location")) == (without.status, without.headers.get("location"))


async def test_in_the_admin_site_it_changes_nothing(house: Server, admin: User) -> None:
    people = await sync_to_async(cast)()
    headers = {**await token_of(admin), "Content-Type": "application/x-www-form-urlencoded"}
    change = {"method": "POST", "body": b"password1=Xy7-pe3-qq1&password2=Xy7-pe3-qq1&usable_password=true"}
    path = f"/admin/accounts/user/{people.client.pk}/password/"
    assert (await ask(house, path, headers=headers, **change)).status == 403, "no CSRF token, and nobody"
    session = await sync_to_async(session_of)(admin)
    assert (await ask(house, path, session=session, headers=headers, **change)).status == 403, "nor for the cookie"
    password = await sync_to_async(lambda: User.objects.get(pk=people.client.pk).password)()
    assert password == people.client.password


async def test_beside_a_cookie_the_cookie_counts_there(house: Server, admin: User) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    shown = await token_of(admin)
    assert (await ask(house, "/", session=session, headers=shown)).body.count(people.client.username.encode())
    assert (await ask(house, "/admin/", session=session, headers=shown)).status == 302


async def test_the_api_and_streams_take_it(house: Server, admin: User) -> None:
    people = await sync_to_async(cast)()
    shown = await token_of(people.client)
    order = people.order.pk
    assert (await ask(house, "/api/me", headers=shown)).json()["id"] == people.client.pk
    assert (await ask(house, f"/api/orders/{order}/state", headers=shown)).status == 200
    assert (await ask(house, "/api/realtime/ticket", method="POST", headers=shown)).status == 200
    note = {"method": "POST", "body": b'{"note": "by a program"}'}
    written = await ask(house, f"/api/orders/{order}/write_note", headers=shown, **note)
    assert written.status == 200, written.body
    async with source(house, f"/api/orders/{order}/stream", None, **shown) as stream:
        assert (await stream.frame())["note"] == "by a program"


async def test_one_that_reads_only_sees_all_and_does_nothing(house: Server) -> None:
    people = await sync_to_async(cast)()
    shown = await token_of(people.client, reads_only=True)
    order = people.order.pk
    for path in ("/api/me", "/api/orders", f"/api/orders/{order}", f"/api/orders/{order}/state", "/api/wallet"):
        assert (await ask(house, path, headers=shown)).status == 200, path
    doors = ("write_note", "pause", "drop", "account", "account/read")
    for path in (*(f"/api/orders/{order}/{door}" for door in doors), "/api/orders/sync", "/api/realtime/ticket"):
        refused = await ask(house, path, method="POST", headers=shown, body=b'{"note": "by a program"}')
        assert (refused.status, refused.json()["error"]["code"]) == (403, "read_only"), path
    async with source(house, f"/api/orders/{order}/stream", None, **shown) as stream:
        frame = await stream.frame()
    assert (frame["version"], frame["status"], frame["note"]) == (2, "Continue", people.order.note)
    async with websockets.connect(
        f"{house.ws_url}/ws/orders/{order}/", additional_headers=shown, compression=None
    ) as socket:
        assert state_of(await Watch(socket).next()) == state_of(frame)
