"""An order is taken away while it is written: its former booster never gets a version from after that (I11).

Judged afterwards by the log, which says to whom each version belonged.
"""

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction

from orders.feeds import OrderFeed
from orders.services import order_assign, order_release, order_write_note
from realtime.models import Event
from tests.following import following
from tests.people import Cast, cast
from tests.server import Server, Watch
from tests.threads import at_once

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")

ROUNDS = 12


def race(people: Cast, dice: random.Random) -> None:
    """Write the note again and again; in the midst of it somebody else gets the order."""
    moment = dice.randrange(1, 8)

    def write() -> None:
        for number in range(10):
            order_write_note(order_id=people.order.pk, note=f"note {number}", by=people.client)

    def reassign() -> None:
        for _ in range(moment):
            order_write_note(order_id=people.order.pk, note=f"soon {dice.random()}", by=people.client)
        with transaction.atomic():
            order_release(order_id=people.order.pk, by=people.manager)
            order_assign(order_id=people.order.pk, booster=people.other_booster, by=people.manager)

    at_once([write, reassign])


@sync_to_async
def his_versions(people: Cast) -> set[int]:
    """Return the versions that the former booster could see, by the log."""
    viewer = OrderFeed.viewer(people.booster)
    events = Event.objects.filter(topic=f"order.{people.order.pk}")
    return {event.version for event in events if event.state and OrderFeed.audience_in(viewer, event.state)}


def versions(frames: list[dict[str, Any]], order: int) -> set[int]:
    return {frame["version"] for frame in frames if frame["type"] == "order.update" and frame["order_id"] == order}


async def closed(watch: Watch) -> int:
    return await watch.closed()


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_the_former_booster_gets_no_version_from_after_he_lost_the_order(
    standing_server: Server, seed: int
) -> None:
    people = await sync_to_async(cast)()
    order, dice = people.order.pk, random.Random(seed)
    host = f"127.0.0.1:{standing_server.port}"
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(standing_server.watch(f"/ws/orders/{order}/", people.booster))
        await plain.next()
        topic = await stack.enter_async_context(following(host, people.booster, {"a": f"order:{order}"}))
        board = await stack.enter_async_context(following(host, people.booster, {"b": "orders:mine"}))
        closing = asyncio.create_task(closed(plain))
        await sync_to_async(race)(people, dice)
        assert await closing == 4404
        await topic.until(lambda: topic.said("revoked"), "revoked")
        await board.until(lambda: [frame for frame in board.said("board") if frame["removed"]], "removed")
        his = await his_versions(people)
        last = max(his)
        assert await sync_to_async(Event.objects.filter(topic=f"order.{order}", version__gt=last).exists)()
        for frames in (plain.frames, topic.frames, board.frames):
            seen = versions(frames, order)
            assert seen <= his, f"seed {seed}: {sorted(seen - his)} were not his"
