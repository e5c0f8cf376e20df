"""The consumer behind a route of the project's own, and when the database does not answer."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from django.db import OperationalError
from django.urls import re_path

from realtime import log, relay
from realtime.consumers import OrderSyncConsumer, SyncConsumer
from realtime.hub import Hub
from realtime.quotas import Quotas
from realtime.reader import Reader
from realtime.testing import connect_as
from realtime.tests.people import delivery

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older]

ROUTES: list[Any] = [
    re_path(r"^deliveries/(?P<key>[^/]+)$", SyncConsumer.as_asgi(feed_name="delivery")),  # type: ignore[arg-type]
    re_path(r"^own/(?P<delivery_id>[^/]+)$", SyncConsumer.as_asgi(feed_name="delivery")),  # type: ignore[arg-type]
]


ROUTER: Any = URLRouter(ROUTES)


async def code_of(path: str, user: Any) -> int:
    async with connect_as(user, path, application=ROUTER) as socket:
        return await socket.closed()


@pytest.mark.parametrize("path", ["deliveries", "own"])
async def test_a_route_may_name_the_key_by_the_feed(path: str) -> None:
    record = await sync_to_async(delivery)()
    async with connect_as(record.sender, f"/{path}/{record.pk}", application=ROUTER) as socket:
        assert (await socket.next())["delivery_id"] == str(record.pk)
    assert not Hub.current()._watchers


async def test_nobody_and_strangers_are_refused() -> None:
    record = await sync_to_async(delivery)()
    assert await code_of(f"/own/{record.pk}", None) == 4401
    assert await code_of("/own/7", record.sender) == 4404


async def test_a_database_that_does_not_answer_says_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    record = await sync_to_async(delivery)()

    def fail(topics: list[str]) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(log, "states", fail)
    assert await code_of(f"/own/{record.pk}", record.sender) == 4500


async def test_whoever_is_cancelled_on_his_way_in_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Daphne does ten seconds after the peer has gone, when an application does not end."""
    record = await sync_to_async(delivery)()
    hangs = asyncio.Event()

    async def never(reader: Reader) -> str:
        hangs.set()
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(Reader, "epoch", never)  # of whichever: a hub that lingers may end, and the next has its own
    before = Quotas.current().places
    scope = {"type": "websocket", "path": f"/own/{record.pk}", "headers": [], "user": record.sender}
    heard: asyncio.Queue[Any] = asyncio.Queue()
    heard.put_nowait({"type": "websocket.connect"})

    async def send(message: Any) -> None:
        """Whoever listens has gone."""

    running = asyncio.ensure_future(ROUTER({**scope, "subprotocols": ["delivery-sync.v1"]}, heard.get, send))
    async with asyncio.timeout(20):
        await hangs.wait()
    assert Quotas.current().places == before + 1
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert not Hub.current().members
    assert Quotas.current().places == before
    Hub.current().end_when_idle()
    assert await asyncio.to_thread(relay.rest, 60)


def test_the_order_consumer_is_the_same_for_the_order_feed() -> None:
    assert OrderSyncConsumer().feed_name == "order"
    assert SyncConsumer(feed_name="delivery").feed_name == "delivery"
