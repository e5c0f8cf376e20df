"""Who loses an order sees nothing of it from the version on that took it from him."""

from contextlib import AsyncExitStack
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from accounts.models import Role
from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_report
from orders.models import BaseOrder
from orders.services import order_assign, order_claim, order_release, order_write_note
from realtime.models import Event
from tests.people import Cast, cast, order_of, person
from tests.server import Server, unbroken

pytestmark = pytest.mark.older


@sync_to_async
def head_of(order: BaseOrder) -> int:
    return Event.objects.filter(topic=f"order.{order.pk}").latest("version").version


@sync_to_async
def reassigned(people: Cast) -> None:
    with transaction.atomic():
        order_release(order_id=people.order.pk, by=people.manager)
        order_assign(order_id=people.order.pk, booster=people.other_booster, by=people.manager)


@sync_to_async
def reported(people: Cast) -> None:
    division_order_report(order_id=people.order.pk, reached=Position("Gold", 1, 0), by=people.other_booster)


async def test_a_booster_whose_order_is_given_to_another_sees_no_version_of_the_others(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    path = f"/ws/orders/{people.order.pk}/"
    async with (
        standing_server.watch(path, people.booster) as former,
        standing_server.watch(path, people.client) as client,
    ):
        await former.next()
        await client.next()
        before = await head_of(people.order)
        await reassigned(people)
        await reported(people)
        assert await former.closed() == 4404
        assert [frame["version"] for frame in former.frames] == [before]
        await client.until(await head_of(people.order))
        unbroken(client.frames)
    async with standing_server.watch(path, people.other_booster) as new:
        frame = await new.next()
        assert frame["booster_id"] == people.other_booster.pk
        assert "actual_price" in frame["masked"]
        assert "note" not in frame["masked"]
    async with standing_server.watch(path, people.booster) as former:
        assert await former.closed() == 4404
        assert former.frames == []


async def test_a_released_order_is_a_prospect_to_its_former_booster_until_another_claims_it(
    standing_server: Server,
) -> None:
    people = await sync_to_async(cast)()
    path = f"/ws/orders/{people.order.pk}/"
    async with standing_server.watch(path, people.booster) as former:
        assert (await former.next())["masked"] == ["actual_price", "last_payment"]
        await sync_to_async(order_release)(order_id=people.order.pk, by=people.manager)
        released = await head_of(people.order)
        await sync_to_async(order_write_note)(order_id=people.order.pk, note="for another", by=people.client)
        noted = await former.until(released + 1)
        for frame in former.frames[1:]:
            assert {"note", "client_username", "last_payout"} <= set(frame["masked"])
            assert frame["note"] is frame["client_username"] is frame["last_payout"] is frame["actual_price"] is None
        assert "note" not in noted["changed"]
        await sync_to_async(order_claim)(order_id=people.order.pk, booster=people.other_booster)
        await reported(people)
        assert await former.closed() == 4404
        assert [frame["version"] for frame in former.frames] == [released - 1, released, released + 1]


async def test_one_claims_and_goes_on_as_booster_the_other_prospects_are_closed(standing_server: Server) -> None:
    client = await sync_to_async(person)(Role.CLIENT)
    boosters = [await sync_to_async(person)(Role.BOOSTER) for _ in range(3)]
    order = await sync_to_async(order_of)(client)
    async with AsyncExitStack() as stack:
        path = f"/ws/orders/{order.pk}/"
        fast, *others = [await stack.enter_async_context(standing_server.watch(path, one)) for one in boosters]
        for watch in (fast, *others):
            frame = await watch.next()
            assert frame["note"] is frame["actual_price"] is None
        await sync_to_async(order_claim)(order_id=order.pk, booster=boosters[0])
        for watch in others:
            assert await watch.closed() == 4404
            assert len(watch.frames) == 1
        frame = await fast.next()
        assert (frame["status"], frame["booster_id"]) == ("Continue", boosters[0].pk)
        assert frame["note"] == "Evenings, please."
        unbroken(fast.frames)


async def test_a_deleted_order_is_missing_for_everyone(standing_server: Server) -> None:
    client = await sync_to_async(person)(Role.CLIENT)
    manager = await sync_to_async(person)(Role.MANAGER)
    order = await sync_to_async(BaseOrder.objects.create)(
        client=client, game="chess", title="Never paid", actual_price=Decimal(10), booster_price=Decimal(6)
    )
    path = f"/ws/orders/{order.pk}/"
    async with standing_server.watch(path, client) as one, standing_server.watch(path, manager) as another:
        await one.next()
        await another.next()
        await sync_to_async(order.delete)()
        for watch in (one, another):
            assert await watch.closed() == 4404
            assert len(watch.frames) == 1
    async with standing_server.watch(path, manager) as late:
        assert await late.closed() == 4404
        assert late.frames == []
