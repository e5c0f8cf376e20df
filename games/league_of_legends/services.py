"""Placing, playing and extending division orders. Rules about people and money are those of ``orders.services``."""

from django.db import transaction

from accounts.models import User
from games.league_of_legends.division import DivisionGame, place_set, progress_save, title_of
from games.league_of_legends.ladder import Position
from games.league_of_legends.models import LeagueOfLegendsDivisionOrder
from games.league_of_legends.pricing import payout, price
from games.league_of_legends.selectors import division_of
from orders.options import Options
from orders.services import order_create, order_extend, order_report_progress


@transaction.atomic
def division_order_create(
    *,
    client: User,
    current: Position,
    desired: Position,
    options: Options,
    note: str = "",
    booster: User | None = None,
    idempotency_key: str,
) -> LeagueOfLegendsDivisionOrder:
    """Place and pay an order from ``current`` up to ``desired``; sent again with its key, return the first one.

    It is available to all boosters, unless the client chose one.
    """
    cost = price(current, desired, options)
    order = order_create(
        client=client,
        game=DivisionGame.slug,
        title=title_of(current, desired),
        actual_price=cost,
        booster_price=payout(cost),
        options=options,
        note=note,
        booster=booster,
        idempotency_key=idempotency_key,
        content=(current, desired),
    )
    if LeagueOfLegendsDivisionOrder.objects.filter(order=order).exists():
        return division_of(order)
    division = LeagueOfLegendsDivisionOrder(order=order)
    place_set(division, "current", current)
    place_set(division, "reached", current)
    place_set(division, "desired", desired)
    progress_save(division)
    return division


def division_order_report(*, order_id: int, reached: Position, by: User) -> LeagueOfLegendsDivisionOrder:
    """Store where the booster has got to: above what was reached, at most the goal."""
    return division_of(order_report_progress(order_id=order_id, reached=reached, by=by))


def division_order_extend(
    *, order_id: int, desired: Position, by: User, idempotency_key: str
) -> LeagueOfLegendsDivisionOrder:
    """Raise the goal to ``desired`` for the price of the way from the goal before."""
    return division_of(order_extend(order_id=order_id, goal=desired, by=by, idempotency_key=idempotency_key))
