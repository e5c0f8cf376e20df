"""Orders say what is due; the ledger writes it, in the same transaction."""

from decimal import Decimal
from typing import Any

from django.dispatch import receiver

from accounts.models import User
from orders.models import BaseOrder
from orders.signals import payment_due, payout_due, refund_due
from wallet.services import payment_post, payout_post, refund_post


@receiver(payment_due, dispatch_uid="wallet.payment")
def payment_write(order: BaseOrder, amount: Decimal, **_: Any) -> None:
    payment_post(order=order, amount=amount)


@receiver(payout_due, dispatch_uid="wallet.payout")
def payout_write(order: BaseOrder, booster: User, amount: Decimal, settlement: int, **_: Any) -> None:
    payout_post(order=order, booster=booster, amount=amount, settlement=settlement)


@receiver(refund_due, dispatch_uid="wallet.refund")
def refund_write(order: BaseOrder, amount: Decimal, **_: Any) -> None:
    refund_post(order=order, amount=amount)
