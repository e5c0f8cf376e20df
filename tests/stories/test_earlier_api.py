"""Code that still sends to the group ``order_<id>`` is heard, and never believed: viewers get the true state."""

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.db import connection, transaction

from orders.models import BaseOrder
from orders.services import order_write_note
from realtime.models import Event
from realtime.signals import send_order_update_to_group
from tests.bus import carried, versions
from tests.children import write_and_be_killed
from tests.engines import child_environment
from tests.people import Cast, cast
from tests.server import Server, running, state_of, unbroken

pytestmark = pytest.mark.older

LIES = {
    "status": "Done",
    "progress": 100,
    "actual_price": "0.01",
    "booster_price": "9999.00",
    "version": 2**62,
    "prev": 1,
    "changed": ["status"],
    "masked": [],
}


@pytest.fixture(scope="module")
def unrepaired(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that does not look at the database by itself: what comes, came by the layer."""
    with running(
        tmp_path_factory.mktemp("server"), child_environment(), repair_seconds=3600, poll_seconds=3600
    ) as server:
        yield server
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


def by_function(order: BaseOrder, message: str) -> None:
    send_order_update_to_group(order, extra_data={"message": message, **LIES})


def by_layer(event: dict[str, Any], order: BaseOrder) -> None:
    layer = get_channel_layer()
    assert layer is not None
    async_to_sync(layer.group_send)(f"order_{order.pk}", event)


def dotted(order: BaseOrder, message: str) -> None:
    by_layer({"type": "order.update", "order_id": order.pk, "message": message, **LIES}, order)


def underscored(order: BaseOrder, message: str) -> None:
    by_layer({"type": "order_update", "order_id": order.pk, "message": message, **LIES}, order)


def nested(order: BaseOrder, message: str) -> None:
    by_layer({"type": "order.update", "data": {"order_id": order.pk, "message": message, **LIES}}, order)


SENDERS = [by_function, dotted, underscored, nested]


@sync_to_async
def changed_uncaptured(people: Cast, note: str) -> None:
    """As a restore or a session with triggers off does."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE orders_baseorder SET note = %s WHERE id = %s", [note, people.order.pk])


@sync_to_async
def changed_unheard(people: Cast, note: str) -> None:
    write_and_be_killed(people.order.pk, note)


@pytest.mark.parametrize("send", SENDERS, ids=lambda send: send.__name__)
async def test_with_nothing_new_viewers_get_the_words_and_the_state_they_have(unrepaired: Server, send: Any) -> None:
    people = await sync_to_async(cast)()
    order = people.order
    path = f"/ws/orders/{order.pk}/"
    async with unrepaired.watch(path, people.client) as client, unrepaired.watch(path, people.booster) as booster:
        for watch in (client, booster):
            await watch.next()
            await carried(watch, order.pk)
        await sync_to_async(send)(order, f"Words of {send.__name__}")
        for watch in (client, booster):
            while (frame := await watch.next())["message"] != f"Words of {send.__name__}":
                pass  # the tail of the proofs before
            first = state_of(watch.frames[0])
            assert "version" not in frame
            assert "changed" not in frame
            assert frame == {k: v for k, v in first.items() if k not in {"version", "changed"}} | {
                "message": f"Words of {send.__name__}"
            }
            assert len(versions(watch)) == 1


@pytest.mark.parametrize("send", SENDERS, ids=lambda send: send.__name__)
async def test_with_something_new_viewers_get_the_true_state(unrepaired: Server, send: Any) -> None:
    people = await sync_to_async(cast)()
    order = people.order
    async with unrepaired.watch(f"/ws/orders/{order.pk}/", people.client) as watch:
        first = await watch.next()
        await carried(watch, order.pk)
        await changed_unheard(people, "nobody was told")
        await sync_to_async(send)(order, "Something happened.")
        frame = await watch.until(first["version"] + 1)
        assert (frame["version"], frame["note"]) == (first["version"] + 1, "nobody was told")
        assert (frame["status"], frame["progress"]) == ("Continue", 0)
        assert frame["message"] == "The note was changed."
        unbroken(versions(watch))
        async with unrepaired.watch(f"/ws/orders/{order.pk}/", people.client) as fresh:
            assert state_of(await fresh.next()) == frame


async def test_what_nothing_captured_is_found_by_a_hint(unrepaired: Server) -> None:
    people = await sync_to_async(cast)()
    order = people.order
    async with unrepaired.watch(f"/ws/orders/{order.pk}/", people.client) as watch:
        first = await watch.next()
        await carried(watch, order.pk)
        await changed_uncaptured(people, "with the triggers off")
        await sync_to_async(send_order_update_to_group)(order)
        frame = await watch.until(first["version"] + 1)
        assert (frame["note"], frame["changed"]) == ("with the triggers off", ["note"])
        event = await Event.objects.filter(topic=f"order.{order.pk}").alatest("version")
        assert event.context["source"] == "reconcile"


async def test_a_hint_that_names_no_order_has_everything_looked_at(unrepaired: Server) -> None:
    people = await sync_to_async(cast)()
    async with unrepaired.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        first = await watch.next()
        await carried(watch, people.order.pk)
        await changed_unheard(people, "look")
        await sync_to_async(by_layer)({"type": "order.update"}, people.order)
        assert (await watch.until(first["version"] + 1))["note"] == "look"


async def test_what_is_no_hint_is_ignored(unrepaired: Server) -> None:
    people = await sync_to_async(cast)()
    order = people.order
    async with unrepaired.watch(f"/ws/orders/{order.pk}/", people.client) as watch:
        await watch.next()
        await carried(watch, order.pk)
        seen = len(versions(watch))
        for event in (
            {"type": "order.update", "order_id": 2**62, "message": "another order"},
            {"type": "order.update", "order_id": f"{order.pk}\u0663", "message": "no key"},
            {"type": "order.update", "order_id": [order.pk], "message": "a list"},
            {"type": "websocket.close", "code": 4404},
            {"type": "delivery.update", "delivery_id": order.pk, "message": "no such feed"},
            {"type": "chat.message", "order_id": order.pk, "message": "something else"},
            {"type": "order.update", "order_id": order.pk, "message": None},
        ):
            await sync_to_async(by_layer)(event, order)
        await sync_to_async(by_layer)({"type": "order.update", "order_id": order.pk, "message": {"a": [1]}}, order)
        long = "x" * 100_000
        await sync_to_async(dotted)(order, long)
        while len((await watch.next())["message"]) < 500:
            assert len(versions(watch)) == seen
        assert watch.frames[-1]["message"] == long[:500]
        allowed = {"Something", "carried", "x", "{'a': [1]}"}
        for frame in watch.frames[1:]:
            assert any(frame["message"].startswith(word) for word in allowed), frame["message"]
        await sync_to_async(order_write_note)(order_id=order.pk, note="a true one", by=people.client)
        frame = await watch.until(watch.frames[0]["version"] + 1)
        assert frame["note"] == "a true one"
