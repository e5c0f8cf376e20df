"""Who logs out, changes his password or his role, or is disabled, sees nothing more on a socket that was open (I11)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from asgiref.sync import sync_to_async
from django.test import Client

from accounts.models import Role, User
from orders.services import order_write_note
from tests.engines import child_environment, own_valkey
from tests.people import cast, person
from tests.server import Server, Watch, running

pytestmark = pytest.mark.older


def logged_in(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


async def session_in(browser: Client) -> str:
    return str(await sync_to_async(lambda: browser.session.session_key)())


async def seen(watch: Watch) -> dict[str, Any]:
    """Read up to the first update."""
    while (frame := await watch.next())["type"] != "order.update":
        continue
    return frame


def subscriber(server: Server, session: str) -> Any:
    """Open a socket of the sync dialect with the cookie of ``session``."""
    return websockets.connect(
        f"{server.ws_url}/ws/orders/",
        additional_headers={"Cookie": f"sessionid={session}"},
        origin=websockets.Origin(server.url),
        subprotocols=[websockets.Subprotocol("order-sync.v1")],
        compression=None,
    )


async def test_after_the_log_out_nothing_comes_and_the_client_is_told(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    path = f"/ws/orders/{people.order.pk}/"
    browser = await sync_to_async(logged_in)(people.client)
    async with (
        standing_server.watch_in(path, await session_in(browser)) as leaving,
        standing_server.watch(path, people.client) as elsewhere,
    ):
        await leaving.next()
        head = (await elsewhere.next())["version"]
        await sync_to_async(browser.post)("/accounts/logout/")
        assert await leaving.closed() == 4405
        await sync_to_async(order_write_note)(order_id=people.order.pk, note="and on", by=people.client)
        await elsewhere.until(head + 1)
        assert len(leaving.frames) == 1


async def test_who_is_no_manager_any_more_loses_every_order(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    manager = await sync_to_async(person)(Role.MANAGER)
    browser = await sync_to_async(logged_in)(manager)
    session = await session_in(browser)
    async with (
        standing_server.watch_in(f"/ws/orders/{people.order.pk}/", session) as plain,
        subscriber(standing_server, session) as line,
        subscriber(standing_server, session) as listing,
    ):
        await plain.next()
        one, board = Watch(line), Watch(listing)
        await one.socket.send(f'{{"type":"subscribe","id":"a","topic":"order:{people.order.pk}"}}')
        await board.socket.send('{"type":"subscribe","id":"b","topic":"orders:all"}')
        for watch in (one, board):
            await seen(watch)
        await sync_to_async(demote)(manager)
        assert await plain.closed() == 4404
        while (frame := await one.next())["type"] != "revoked":
            assert frame["type"] == "synced"
        assert (frame["id"], frame["reason"]) == ("a", "forbidden")
        await one.socket.send('{"type":"ping","n":1}')
        assert (await one.next())["type"] == "pong", "its socket stays, with nothing on it"
        assert await board.closed() == 4405
        removed = [gone for frame in board.frames if frame["type"] == "board" for gone in frame["removed"]]
        assert {"order_id": people.order.pk, "reason": "forbidden"} in removed


def demote(user: User) -> None:
    user.role = Role.CLIENT
    user.save()


@pytest.fixture
def deaf(db: None, tmp_path: Path) -> Iterator[Server]:
    """A server whose layer is away, and that asks every second."""
    with own_valkey() as valkey:
        environment = child_environment() | {"REDIS_URL": valkey.url}
        with running(tmp_path, environment, identity_seconds=1.0) as server:
            valkey.stop()
            yield server


async def test_without_the_layer_a_disabled_account_is_found_by_asking_again(deaf: Server) -> None:
    people = await sync_to_async(cast)()
    async with deaf.watch(f"/ws/orders/{people.order.pk}/", people.booster) as watch:
        await watch.next()
        await sync_to_async(User.objects.filter(pk=people.booster.pk).update)(is_active=False)
        assert await watch.closed() == 4405
