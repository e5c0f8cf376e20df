"""What is over a limit is refused before anything is read."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.test import AsyncClient
from pytest_django import Settings

from realtime.hub import Hub
from realtime.routing import websocket_urlpatterns
from realtime.testing import connect_as
from realtime.tests.limits.places import eventually, limit
from realtime.tests.people import delivery, user
from realtime.tests.test_identity import cookie, session_of

pytestmark = pytest.mark.older_long


@pytest.mark.django_db(transaction=True)
async def test_who_knocks_too_often_costs_no_read(settings: Settings) -> None:
    limit(settings, HANDSHAKES_BURST=1)
    record = await sync_to_async(delivery)()

    async def knocks() -> Any:
        knocking = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/deliveries/{record.pk}/")  # type: ignore[arg-type]
        knocking.scope |= {"client": ("192.0.2.77", 4711), "extensions": {"websocket.http.response": {}}}
        await knocking.send_input({"type": "websocket.connect"})
        said = await knocking.receive_output(timeout=30)
        if said["type"] == "websocket.accept":
            await knocking.disconnect(timeout=30)
        else:
            await knocking.wait(timeout=30)
        return said

    assert (await knocks())["type"] == "websocket.accept"
    Hub.current().end()
    said = await knocks()
    assert said["status"] == 429
    assert dict(said["headers"])[b"retry-after"]
    assert Hub.current()._reader is None, "nothing was begun"


@pytest.mark.django_db(transaction=True)
async def test_a_stream_that_never_begins_gives_its_place_back(settings: Settings) -> None:
    limit(settings, HANDSHAKES_BURST=1000)
    record = await sync_to_async(delivery)()
    asking = AsyncClient()
    await asking.aforce_login(record.sender)

    async def asked() -> Any:
        return await asking.get(f"/api/deliveries/{record.pk}/stream")

    streams = [await asked(), await asked()]
    refused = await asked()
    assert (refused.status_code, refused["Retry-After"]) == (429, "5")
    assert refused.json()["error"]["code"] == "too_many"
    streams[0].close()

    async def is_free() -> bool:
        return bool((await asked()).status_code == 200)

    await eventually(is_free)
    for stream in streams:
        stream.close()


@pytest.mark.django_db(transaction=True)
async def test_a_session_that_has_all_places_of_its_user_costs_no_read(settings: Settings) -> None:
    limit(settings)
    record = await sync_to_async(delivery)()
    key = await sync_to_async(lambda: cookie(session_of(record.sender)))()
    path = f"/ws/deliveries/{record.pk}/"
    async with connect_as(None, path, session=key) as first, connect_as(None, path, session=key) as second:
        await first.next()
        await second.next()
        reader = Hub.current().start()
        calls: list[object] = []
        original = reader.accounts

        async def counted(claims: Any) -> Any:
            calls.append(claims)
            return await original(claims)

        reader.accounts = counted  # type: ignore[method-assign]
        async with connect_as(None, path, session=key) as third:
            assert await third.closed() == 4429
        assert calls == []
        other = await sync_to_async(lambda: cookie(session_of(record.sender)))()
        async with connect_as(None, path, session=other) as fourth:
            assert await fourth.closed() == 4429, "another session of the same user"
        assert len(calls) == 1
        stranger = await sync_to_async(user)()
        async with connect_as(stranger, path) as fifth:
            assert await fifth.closed() == 4404
