"""Which prices an order may get: boosters never come to get more than the client pays, or than they did before."""

from decimal import Decimal

from orders.exceptions import BadAmount, PayoutTooHigh, PriceMoved
from orders.models import ENDED, BaseOrder
from orders.money import loss_of


def reprice_check(
    order: BaseOrder, *, actual_price: Decimal, booster_price: Decimal, seen: tuple[Decimal, Decimal] | None
) -> None:
    """Refuse new prices of the locked ``order``; ``seen`` are those that whoever decides had before his eyes."""
    if seen is not None and seen != (order.actual_price, order.booster_price):
        raise PriceMoved(
            f"Order {order.pk} is at {order.actual_price} and {order.booster_price} by now. "
            f"Look at both, then decide again."
        )
    if actual_price < order.worked_price:
        raise BadAmount(f"Work for {order.worked_price} is done and settled: the price cannot be lower.")
    if loss_of(price=actual_price, paid_out=order.paid_out, payout=booster_price) > _loss(order):
        raise BadAmount(
            f"Boosters have {order.paid_out} of this order; with {booster_price} more they would get more than the "
            f"client pays. The payout is for what is still to be done: lower it, or raise the price."
        )


def refund_check(order: BaseOrder, *, actual_price: Decimal, paid_out: Decimal, booster_price: Decimal) -> None:
    """Refuse a refund of the locked ``order`` that would leave it with these.

    An order that is over promises nothing more, and where the payout of the rest is 0.00 nothing is left to lower:
    neither keeps its dispute open for ever. Without a loss before, neither ends with one: what boosters have for
    their parts is at most what the client paid for the same.
    """
    if order.status in ENDED or not booster_price:
        return
    if loss_of(price=actual_price, paid_out=paid_out, payout=booster_price) > _loss(order):
        most = max(actual_price - paid_out, Decimal("0.00"))
        raise PayoutTooHigh(
            f"After this refund the client pays {actual_price}, and boosters would get {paid_out + booster_price}. "
            f"Lower the payout for what is still to be done to {most} or less, then refund."
        )


def _loss(order: BaseOrder) -> Decimal:
    return loss_of(price=order.actual_price, paid_out=order.paid_out, payout=order.booster_price)
