"""A board of two hundred orders comes back with ``have``: what changed, what left, and nothing else (I14)."""

from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer

from orders.models import BaseOrder, Status
from realtime import log
from realtime.models import Event
from tests.following import following
from tests.people import Cast, cast
from tests.server import Server

ORDERS, CHANGED, LEFT = 200, 3, 2


@sync_to_async
def played_by(people: Cast) -> list[int]:
    """Return the keys of orders that the booster plays."""
    rows = [
        BaseOrder(
            client=people.client, booster=people.booster, status=Status.CONTINUE, game="chess", title=f"Order {number}",
            actual_price=Decimal(10), booster_price=Decimal(6),
        )
        for number in range(ORDERS)
    ]  # fmt: skip
    keys = [order.pk for order in BaseOrder.objects.bulk_create(rows)]
    while log.settle(limit=1000)[1]:
        continue
    return keys


@sync_to_async
def moved(keys: list[int], people: Cast) -> None:
    for key in keys[:CHANGED]:
        BaseOrder.objects.filter(pk=key).update(message="It has moved.")
    BaseOrder.objects.filter(pk__in=keys[CHANGED : CHANGED + LEFT]).update(booster=people.other_booster)
    while log.settle(limit=1000)[1]:
        continue
    Event.objects.all().delete()


@pytest.mark.parametrize("emptied", [False, True], ids=["history kept", "history and layer emptied"])
async def test_a_board_returns_with_what_it_missed_and_nothing_else(standing_server: Server, emptied: bool) -> None:
    people = await sync_to_async(cast)()
    keys = await played_by(people)
    host, board = f"127.0.0.1:{standing_server.port}", {"b": "orders:mine"}
    async with following(host, people.booster, board, limit=500) as first:
        assert set(first.mirror.boards["b"]) == {str(key) for key in (*keys, people.order.pk)}
    await moved(keys, people)
    if emptied:
        layer: Any = get_channel_layer()
        await layer.flush()
    mirror = first.mirror
    async with following(host, people.booster, board, limit=500, mirror=mirror) as again:
        subscribed, *updates, removal, synced = [frame for frame in again.frames if frame["type"] != "welcome"]
        assert (subscribed["type"], subscribed["recovered"], subscribed["reason"]) == ("subscribed", True, None)
        assert {frame["order_id"] for frame in updates} == set(keys[:CHANGED])
        assert len(updates) == CHANGED
        assert {entry["order_id"] for entry in removal["removed"]} == set(keys[CHANGED : CHANGED + LEFT])
        assert len(synced["orders"]) == synced["total"] == ORDERS + 1 - LEFT
