"""An event stream inside Django: who leaves is forgotten, whatever it was doing; names come from the feed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.test import AsyncClient
from pytest_django import Settings

from realtime.hub import Hub
from realtime.tests.asking import PATH, browser
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user
from realtime.tests.syncing import change

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]


class Peer:
    """A reader at the other end of ASGI; takes nothing while ``stalled`` is set."""

    def __init__(self) -> None:
        self.status = 0
        self.text = ""
        self.is_complete = False
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.said.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, message: Any) -> None:
        await self.open.wait()
        self.status = message.get("status", self.status)
        self.text += message.get("body", b"").decode()
        self.is_complete = message["type"] == "http.response.body" and not message.get("more_body")


@asynccontextmanager
async def opened(asking: AsyncClient, path: str) -> AsyncIterator[tuple[Peer, "asyncio.Task[None]"]]:
    peer = Peer()
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in asking.cookies.items())
    address, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": address,
        "query_string": query.encode(),
        "headers": [(b"host", b"testserver"), (b"cookie", cookies.encode())],
    }
    task = asyncio.create_task(ASGIHandler()(scope, peer.said.get, peer.send))
    try:
        yield peer, task
    finally:
        peer.said.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(task, 30)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@sync_to_async
def made(**values: Any) -> Delivery:
    return delivery(**values)


async def test_names_come_from_the_feed() -> None:
    record = await made()
    async with browser(record.courier) as asking, opened(asking, f"{PATH}/{record.pk}/stream") as (peer, _):
        await eventually(lambda: "\nevent: delivery.update\n" in peer.text)
        assert f'"delivery_id":"{record.pk}"' in peer.text
        assert '"price":null' in peer.text


@pytest.mark.parametrize("path", ["{}/stream", "stream?topic=mine"])
async def test_who_leaves_is_forgotten_at_once(path: str) -> None:
    record = await made()
    async with browser(record.sender) as asking:
        async with opened(asking, f"{PATH}/{path.format(record.pk)}") as (peer, _):
            await eventually(lambda: "delivery.update" in peer.text)
            assert len(Hub.current().members) == 1
        assert not Hub.current().members
        assert not Hub.current().topics()
        assert not Hub.current().listings


async def test_who_leaves_in_the_middle_of_a_block_is_forgotten_too() -> None:
    record = await made()
    async with browser(record.sender) as asking:
        async with opened(asking, f"{PATH}/{record.pk}/stream") as (peer, _):
            await eventually(lambda: "delivery.update" in peer.text)
            peer.open.clear()
            await change(record, status="moving")
            (member,) = Hub.current().members
            await eventually(lambda: member._write_began is not None)
        assert not Hub.current().members


async def test_who_stalls_is_given_up_by_the_application(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "STALL_SECONDS": 0.1, "REPAIR_SECONDS": 0.1}
    record = await made()
    async with browser(record.sender) as asking, opened(asking, f"{PATH}/{record.pk}/stream") as (peer, task):
        await eventually(lambda: "delivery.update" in peer.text)
        peer.open.clear()
        await change(record, status="moving")
        await asyncio.wait({task}, timeout=30)
        assert task.done()
        assert not peer.is_complete, "the server sees that it was not completed, and ends the line"


async def test_a_stream_ends_as_it_should_when_the_right_is_lost() -> None:
    record = await made()
    async with browser(record.courier) as asking, opened(asking, f"{PATH}/{record.pk}/stream") as (peer, task):
        await eventually(lambda: "delivery.update" in peer.text)
        await change(record, courier=await sync_to_async(user)(), status="secret")
        await asyncio.wait({task}, timeout=30)
        assert peer.is_complete
        assert peer.text.index("event: revoked") < peer.text.index("event: goodbye")
        assert "secret" not in peer.text
        assert not Hub.current().members


async def test_a_right_lost_before_the_stream_begins_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the answer's head and its body: the body joins, and asks again."""
    from realtime.gateways import threads

    record = await made()

    async def meanwhile() -> None:
        await change(record, courier=await sync_to_async(user)(), status="secret")

    monkeypatch.setattr(threads, "let_go", meanwhile)
    async with browser(record.courier) as asking, opened(asking, f"{PATH}/{record.pk}/stream") as (peer, task):
        await asyncio.wait({task}, timeout=30)
        assert (peer.status, peer.is_complete) == (200, True)
        assert "delivery.update" not in peer.text
        assert '"code":4404' in peer.text
