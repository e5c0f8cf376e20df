"""A NUL or half a surrogate, wherever a stranger or a user may put it, is a refusal and no error of ours."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import websockets
from asgiref.sync import sync_to_async

from accounts.models import Role, User
from tests.engines import child_environment
from tests.people import cast, person
from tests.server import Server, Watch, running, session_of
from tests.streams import ask


@pytest.fixture(scope="module")
def house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), child_environment()) as server:
        yield server
    log = server.log.read_text()
    assert "Traceback" not in log, log[-3000:]
    assert "tried again" not in log, "no read fails because of what was asked"


NUL = r'{"topic":"orders:mine","filter":{"status":"\u0000"}}'
HALF = r'{"topic":"orders:mine","filter":{"status":"\ud800"}}'

READ = [
    "/?status=%00",
    "/?q=%00",
    "/?mine=a%00b&page=%00",
    "/accounts/login/?next=%00",
    "/orders/{order}/%00",
    "/%00",
    "/static/%00",
    "/static/a%00b.css",
    "/orders/{order}/history/?actor=%00&source=%00&field=%00",
    "/admin/orders/baseorder/?status=%00",
    "/admin/orders/baseorder/?q=%00",
    "/admin/orders/baseorder/?status__exact=%00",
    "/admin/orders/baseorder/?client__username=%00",
    "/admin/orders/baseorder/?o=%00&p=%00&_changelist_filters=%00",
    "/admin/orders/baseorder/%00/change/",
    "/admin/orders/baseorder/_00/change/",
    "/admin/accounts/user/?q=%00",
    "/admin/accounts/user/_00/password/",
    "/admin/login/?next=%00",
    "/api/orders?status=%00&q=%00",
    "/api/orders/%00",
    "/api/orders/{order}%00/state",
    "/api/orders/{order}/state?wait=%00",
    "/api/orders/{order}/events?after=%00",
    "/api/orders/stream?topic=%00",
    "/api/orders/stream?topic=mine&filter=%7B%22status%22:%22%5Cu0000%22%7D",
    "/api/orders/stream?topic=mine&last_event_id=%00:1",
    "/api/wallet/transactions?kind=%00",
]
WRITTEN = [
    ("/accounts/login/", "username=%00a&password=b"),
    ("/accounts/login/", "username=a&password=%00b"),
    ("/admin/login/", "username=%00a&password=b"),
    ("/api/orders/sync", NUL),
    ("/api/orders/sync", HALF),
    ("/api/orders/{order}/write_note", r'{"note":"\u0000"}'),
    ("/api/orders/{order}/write_note", r'{"note":"\ud800"}'),
    ("/api/orders/{order}/dispute", r'{"reason":"\u0000"}'),
    ("/api/orders/{order}/pause", r'{"reason":"\u0000"}'),
    ("/api/orders/{order}/reprice", r'{"booster_price":"\u0000","actual_price":"1","reason":"\u0000"}'),
    ("/api/realtime/ticket", r'"\u0000"'),
]


@pytest.fixture(scope="module")
async def admin_session(house: Server) -> str:
    admin = await sync_to_async(person)(Role.ADMIN)
    await sync_to_async(User.objects.filter(pk=admin.pk).update)(is_staff=True, is_superuser=True)
    return await sync_to_async(session_of)(admin)


@pytest.mark.older_long
@pytest.mark.parametrize("path", READ)
async def test_a_nul_in_an_address_is_no_error_of_ours(house: Server, admin_session: str, path: str) -> None:
    people = await sync_to_async(cast)()
    for session in ("", admin_session, await sync_to_async(session_of)(people.client)):
        reply = await ask(house, path.format(order=people.order.pk), session=session)
        assert reply.status in (302, 400, 401, 403, 404, 301, 200), (reply.status, reply.body[:300])


@pytest.mark.older_long
@pytest.mark.parametrize(("path", "body"), WRITTEN)
async def test_a_nul_in_what_is_sent_is_no_error_of_ours(
    house: Server, admin_session: str, path: str, body: str
) -> None:
    people = await sync_to_async(cast)()
    token = "t" * 32
    kind = "application/json" if body[0] in '{"' else "application/x-www-form-urlencoded"
    for session in ("", admin_session, await sync_to_async(session_of)(people.client)):
        headers = {
            "Cookie": f"csrftoken={token}",
            "X-CSRFToken": token,
            "Content-Type": kind,
            "Origin": house.url,
            "Idempotency-Key": "a key",
        }
        reply = await ask(
            house,
            path.format(order=people.order.pk),
            session=session,
            method="POST",
            headers=headers,
            body=body.encode(),
        )
        assert reply.status in (302, 400, 401, 403, 404, 409, 415, 422, 200), (reply.status, reply.body[:300])


@pytest.mark.older
async def test_a_nul_in_a_frame_is_an_error_of_the_one_who_sent_it(house: Server) -> None:
    people = await sync_to_async(cast)()
    key = people.order.pk
    async with websockets.connect(
        f"{house.ws_url}/ws/orders/",
        additional_headers={"Cookie": f"sessionid={await sync_to_async(session_of)(people.client)}"},
        origin=websockets.Origin(house.url),
        subprotocols=[websockets.Subprotocol("order-sync.v1")],
        compression=None,
    ) as line:
        watch = Watch(line)
        asked: list[dict[str, Any]] = [
            {"id": "\0", "topic": "order:\0"},
            {"id": "a", "topic": f"order:{key}\0"},
            {"id": "b", "topic": "orders:mine", "filter": {"status": "\0"}},
            {"id": "c", "topic": "orders:mine", "filter": {"game": ["\0", None]}},
            {"id": "d", "topic": "orders:mine\0"},
            {"id": "e", "topic": "orders:mine", "filter": {"\0": 1}},
        ]
        for said in asked:
            await line.send(json.dumps({"type": "subscribe", **said}))
            while (frame := await watch.next())["type"] != "error":
                pass
            assert (frame["id"], frame["temporary"]) == (said["id"], False), frame
        have = {"epoch": "\0", "versions": {"\0": 1, str(key): 1}}
        await line.send(json.dumps({"type": "subscribe", "id": "f", "topic": f"order:{key}", "have": have}))
        while (frame := await watch.next())["type"] != "synced":
            pass
        await line.send(json.dumps({"type": "auth", "ticket": "\0"}))
        assert await watch.closed() == 4401
