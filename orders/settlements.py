"""How much money a step moves. The ledger learns it by the signals; nothing here is saved."""

from decimal import Decimal

from orders.games import game_of
from orders.models import BaseOrder
from orders.money import part_of
from orders.signals import payment_due, payout_due, refund_due


def settle(
    order: BaseOrder, *, payment: Decimal = Decimal(0), payout: Decimal = Decimal(0), refund: Decimal = Decimal(0)
) -> None:
    """Tell what is due in the next settlement of the locked ``order``; nothing due, nothing told."""
    if not (payment or payout or refund):
        return
    order.settlement += 1
    if payment:
        payment_due.send(sender=BaseOrder, order=order, amount=payment)
    if payout:
        payout_due.send(sender=BaseOrder, order=order, booster=order.booster, amount=payout)
    if refund:
        refund_due.send(sender=BaseOrder, order=order, amount=refund)


def payout_for_part(order: BaseOrder) -> Decimal:
    """Return the payout for the part that the order's booster has done."""
    return part_of(order.booster_price, game_of(order).share_done(order)) if order.booster_id else Decimal("0.00")


def price_of_work(order: BaseOrder) -> Decimal:
    """Return how much of the client's price is used up, by this booster and those before him."""
    return order.worked_price + part_of(order.actual_price - order.worked_price, game_of(order).share_done(order))
