"""The consumer behind a route of the project's own, and when the database does not answer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError
from django.urls import re_path

from realtime import log
from realtime.consumers import OrderSyncConsumer, SyncConsumer
from realtime.hub import Hub
from realtime.tests.people import delivery

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older]

ROUTES: list[Any] = [
    re_path(r"^deliveries/(?P<key>[^/]+)$", SyncConsumer.as_asgi(feed_name="delivery")),  # type: ignore[arg-type]
    re_path(r"^own/(?P<delivery_id>[^/]+)$", SyncConsumer.as_asgi(feed_name="delivery")),  # type: ignore[arg-type]
]


@pytest.fixture(autouse=True)
async def hub_that_ends() -> AsyncIterator[None]:
    """A hub that lingers would settle the next test's events."""
    yield
    Hub.current().end()


def opened(path: str, user: Any) -> WebsocketCommunicator:
    async def with_user(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = user
        await URLRouter(ROUTES)(scope, receive, send)

    return WebsocketCommunicator(with_user, path)


async def code_of(socket: WebsocketCommunicator) -> int:
    assert (await socket.connect(timeout=10))[0]
    code: int = (await socket.receive_output(timeout=10))["code"]
    return code


@pytest.mark.parametrize("path", ["deliveries", "own"])
async def test_a_route_may_name_the_key_by_the_feed(path: str) -> None:
    record = await sync_to_async(delivery)()
    socket = opened(f"/{path}/{record.pk}", record.sender)
    assert (await socket.connect(timeout=10))[0]
    assert (await socket.receive_json_from(timeout=10))["delivery_id"] == str(record.pk)
    await socket.disconnect(timeout=10)
    assert not Hub.current()._watchers


async def test_nobody_and_strangers_are_refused() -> None:
    record = await sync_to_async(delivery)()
    assert await code_of(opened(f"/own/{record.pk}", AnonymousUser())) == 4401
    assert await code_of(opened(f"/own/{record.pk}", None)) == 4401
    assert await code_of(opened("/own/7", record.sender)) == 4404


async def test_a_database_that_does_not_answer_says_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    record = await sync_to_async(delivery)()

    def fail(topics: list[str]) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(log, "states", fail)
    assert await code_of(opened(f"/own/{record.pk}", record.sender)) == 4500


def test_the_order_consumer_is_the_same_for_the_order_feed() -> None:
    assert OrderSyncConsumer().feed_name == "order"
    assert SyncConsumer(feed_name="delivery").feed_name == "delivery"
