"""More orders than the cast of the stories has."""

from orders.models import BaseOrder


def orders_of(order: BaseOrder, many: int) -> list[int]:
    """Return the keys of ``many`` new orders of the same client."""
    made = [
        BaseOrder(client=order.client, game=order.game, title="An order", actual_price=10, booster_price=5)
        for _ in range(many)
    ]
    return [each.pk for each in BaseOrder.objects.bulk_create(made)]
