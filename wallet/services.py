"""Writing the ledger. The caller holds the order's row lock, so the sums stand still."""

from decimal import Decimal

from django.db import transaction

from accounts.models import User
from orders.models import BaseOrder
from wallet.exceptions import OverPaid, PayoutsHeld
from wallet.models import Kind, Transaction
from wallet.providers import provider
from wallet.selectors import order_books


def payment_post(*, order: BaseOrder, amount: Decimal) -> Transaction:
    """Take ``amount`` from the client and write it down."""
    provider.charge(amount)
    return _post(order, order.client, Kind.PAYMENT, amount)


def payout_post(*, order: BaseOrder, booster: User, amount: Decimal, settlement: int | None = None) -> Transaction:
    """Write what the booster gets; all payouts of an order together stay within what was agreed for it.

    ``settlement`` is an older one when the payout was held; nothing is paid while the order is disputed.
    """
    if order.disputed:
        raise PayoutsHeld(f"Order {order.pk} is disputed: its payouts are held. Resolve the dispute.")
    if order_books(order).payouts + amount > order.paid_out + order.booster_price:
        raise OverPaid(f"Order {order.pk}: the payouts would exceed what was agreed. Look at its transactions.")
    return _post(order, booster, Kind.PAYOUT, amount, settlement)


def refund_post(*, order: BaseOrder, amount: Decimal) -> Transaction:
    """Give the client ``amount`` back; never more than was paid."""
    books = order_books(order)
    if books.refunds + amount > books.payments:
        raise OverPaid(f"Order {order.pk}: the refunds would exceed the payments. Look at its transactions.")
    provider.refund(amount)
    return _post(order, order.client, Kind.REFUND, amount)


@transaction.atomic
def _post(order: BaseOrder, user: User, kind: Kind, amount: Decimal, settlement: int | None = None) -> Transaction:
    """Insert one row; a second one of the settlement breaks on the unique key and rolls the step back."""
    settlement = settlement or order.settlement
    return Transaction.objects.create(
        order=order,
        user=user,
        kind=kind,
        amount=amount,
        settlement=settlement,
        idempotency_key=f"order.{order.pk}.{settlement}.{kind}",
    )
