"""How much money a step moves. The ledger learns it by the signals; of the order nothing is saved here."""

from decimal import Decimal

from orders.games import game_of
from orders.models import BaseOrder, Dispute, HeldPayout, Outcome
from orders.money import part_of
from orders.prices import refund_check
from orders.signals import payment_due, payout_due, refund_due

ZERO = Decimal("0.00")


def settle(
    order: BaseOrder,
    *,
    payment: Decimal = ZERO,
    payout: Decimal | None = None,
    refund: Decimal = ZERO,
    worked: Decimal | None = None,
    released: bool = False,
) -> None:
    """Tell what is due in the next settlement of the locked ``order``; nothing due, nothing told.

    ``payout`` None: the step pays nobody. A payout of a disputed order is held instead; one of 0.00 too, when it is
    for a part that the client paid for, because that is what he may get back. ``worked`` is the client's price that
    is used up after it, if not all; ``released`` says that the booster leaves with it.
    """
    used = order.actual_price if worked is None else worked
    holds = payout is not None and order.disputed and order.booster_id is not None
    holds = holds and bool(payout or used > order.worked_price)
    if not (payment or payout or refund or holds):
        return
    order.settlement += 1
    due = {"sender": BaseOrder, "order": order, "settlement": order.settlement}
    if payment:
        payment_due.send(**due, amount=payment)
    if payout is not None and holds:
        _hold(order, amount=payout, price=used - order.worked_price, released=released)
    elif payout:
        payout_due.send(**due, booster=order.booster, amount=payout)
    if refund:
        refund_due.send(**due, amount=refund)


def settle_held(order: BaseOrder, *, outcome: Outcome) -> bool:
    """Pay out or refund what the open dispute of the locked ``order`` has held; return whether it was anything.

    A payout gets the number of the settlement in which it was held: paid twice, the ledger's unique key breaks it.
    """
    held = list(HeldPayout.objects.filter(dispute__order=order, outcome=""))
    HeldPayout.objects.filter(pk__in=[row.pk for row in held]).update(outcome=outcome)
    if outcome == Outcome.PAID:
        for row in held:
            if not row.amount:
                continue
            payout_due.send(
                sender=BaseOrder, order=order, settlement=row.settlement, booster=row.booster, amount=row.amount
            )
    else:
        _give_back(order, held)
    return bool(held)


def _hold(order: BaseOrder, *, amount: Decimal, price: Decimal, released: bool) -> None:
    booster = order.booster
    assert booster is not None
    HeldPayout.objects.create(
        dispute=Dispute.objects.get(order=order, outcome=""),
        booster=booster,
        amount=amount,
        price=price,
        settlement=order.settlement,
        released=released,
    )


def _give_back(order: BaseOrder, held: list[HeldPayout]) -> None:
    """Refund the client's price of the parts whose payouts were held; they are not agreed on any more."""
    price = sum((row.price for row in held), ZERO)
    left = {
        "actual_price": order.actual_price - price,
        "paid_out": order.paid_out - sum((row.amount for row in held if row.released), ZERO),
        "booster_price": order.booster_price - sum((row.amount for row in held if not row.released), ZERO),
    }
    refund_check(order, **left)
    settle(order, refund=price)
    order.worked_price -= price
    for name, amount in left.items():
        setattr(order, name, amount)


def payout_for_part(order: BaseOrder) -> Decimal:
    """Return the payout for the part that the order's booster has done."""
    return part_of(order.booster_price, game_of(order).share_done(order)) if order.booster_id else ZERO


def price_of_work(order: BaseOrder) -> Decimal:
    """Return how much of the client's price is used up, by this booster and those before him."""
    return order.worked_price + part_of(order.actual_price - order.worked_price, game_of(order).share_done(order))
