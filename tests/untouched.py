"""Whatever somebody does to a server: the database is as it was, and who looks on goes on seeing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asgiref.sync import sync_to_async

from accounts.models import User
from orders.models import BaseOrder
from orders.services import order_write_note
from realtime import relay
from realtime.models import Event, Stream
from tests.people import Cast
from tests.server import Server, unbroken


@sync_to_async
def rows() -> list[object]:
    """Return everything that a socket could have changed; positions the relay gives meanwhile."""
    found = [list(model.objects.order_by("pk").values()) for model in (BaseOrder, Stream, User)]
    return [*found, list(Event.objects.order_by("pk").values("topic", "version", "state", "actor", "at"))]


@asynccontextmanager
async def nothing_changes(server: Server, people: Cast) -> AsyncIterator[None]:
    """Whatever the block does: no row changes, and another viewer of the order gets the next version as ever."""
    async with server.watch(f"/ws/orders/{people.order.pk}/", people.client) as other:
        first = await other.next()
        assert await sync_to_async(relay.rest)(60)  # a position is a column too
        before = await rows()
        yield
        assert await rows() == before
        await sync_to_async(order_write_note)(order_id=people.order.pk, note="still here", by=people.client)
        assert (await other.next())["version"] == first["version"] + 1
        unbroken(other.frames)
