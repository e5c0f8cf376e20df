"""Reading division orders."""

from django.db.models import QuerySet

from games.league_of_legends.models import LeagueOfLegendsDivisionOrder, Rank
from orders.models import BaseOrder


def ranks() -> QuerySet[Rank]:
    """Return the ladder's ranks from the lowest up."""
    return Rank.objects.order_by("position")


def divisions_all() -> QuerySet[LeagueOfLegendsDivisionOrder]:
    """Return every division order with its ranks, its order, client and booster, newest first."""
    return LeagueOfLegendsDivisionOrder.objects.select_related(
        "current_rank", "reached_rank", "desired_rank", "order__client", "order__booster"
    ).order_by("-order_id")


def divisions_of(orders: QuerySet[BaseOrder]) -> QuerySet[LeagueOfLegendsDivisionOrder]:
    """Return the division rows of ``orders``, in one query."""
    return divisions_all().filter(order__in=orders.order_by())


def division_of(order: BaseOrder) -> LeagueOfLegendsDivisionOrder:
    """Return the division row of ``order``, read afresh."""
    return divisions_all().get(order_id=order.pk)
