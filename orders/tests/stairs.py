"""The smallest game: a stair, climbed step by step. Its places are whole numbers, kept in the order's title."""

from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any

from accounts.models import Role, User
from accounts.tests.people import person
from orders.exceptions import OrderError
from orders.games import Extra, Game, register_game
from orders.models import BaseOrder, Status
from orders.options import Options
from orders.services import order_create


class Stairs(Game[int]):
    slug = "stairs"
    name = "Stairs"

    def share_done(self, order: BaseOrder) -> Fraction:
        start, reached, goal = places(order)
        return Fraction(reached - start, goal - start)

    def reach(self, order: BaseOrder, place: int) -> str:
        start, reached, goal = places(order)
        if not reached < place <= goal:
            raise OrderError("One climbs up, to the goal.")
        order.title = f"{start} {place} {goal}"
        return f"Reached step {place}."

    def raise_goal(self, order: BaseOrder, goal: int) -> Extra:
        start, reached, old = places(order)
        if goal <= old:
            raise OrderError("The goal is there already.")
        return Extra(Decimal(goal - old) * 10, Decimal(goal - old) * 7, f"{start} {reached} {goal}")

    def restart(self, order: BaseOrder) -> str:
        _, reached, goal = places(order)
        return f"{reached} {reached} {goal}"


register_game(Stairs())
_keys = count(1)


def places(order: BaseOrder) -> list[int]:
    """Return start, reached and goal."""
    return [int(place) for place in order.title.split()]


def order_made(
    *,
    client: User | None = None,
    booster: User | None = None,
    goal: int = 10,
    status: Status = Status.NEW,
    **fields: Any,
) -> BaseOrder:
    """Return a paid order of 10.00 a step, 7.00 of it for the booster; ``status`` and ``fields`` are simply set."""
    order = order_create(
        client=client or person(Role.CLIENT),
        game="stairs",
        title=f"0 0 {goal}",
        actual_price=Decimal(goal) * 10,
        booster_price=Decimal(goal) * 7,
        options=Options(),
        note="",
        booster=booster,
        idempotency_key=fields.pop("key", f"stairs.{next(_keys)}"),
        content=goal,
    )
    if status != Status.NEW or fields:
        BaseOrder.objects.filter(pk=order.pk).update(status=status, **fields)
        order.refresh_from_db()
    return order


def row(order: BaseOrder) -> dict[str, Any]:
    """Return the stored columns, to compare before and after."""
    return dict(BaseOrder.objects.filter(pk=order.pk).values().get())
