"""The ledger."""

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from orders.models import BaseOrder, price_field
from wallet.exceptions import AppendOnly

REFUSAL = "The ledger is append-only: post a row that sets it right."


class Kind(models.TextChoices):
    PAYMENT = "payment", "payment"
    PAYOUT = "payout", "payout"
    REFUND = "refund", "refund"


class TransactionStatus(models.TextChoices):
    """How it ended. A row is written when the provider has answered, so there is no pending one."""

    SETTLED = "settled", "settled"


class TransactionQuerySet(models.QuerySet["Transaction"]):
    """Reads and inserts; refuses the rest."""

    def update(self, **changes: Any) -> NoReturn:
        raise AppendOnly(REFUSAL)

    def bulk_update(self, *args: Any, **options: Any) -> NoReturn:
        raise AppendOnly(REFUSAL)

    def delete(self) -> NoReturn:
        raise AppendOnly(REFUSAL)


class Transaction(models.Model):
    """Money that moved: the client paid, the booster was paid, the client got some back."""

    order = models.ForeignKey(BaseOrder, models.PROTECT, related_name="transactions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="transactions")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    amount = price_field()
    status = models.CharField(max_length=10, choices=TransactionStatus.choices, default=TransactionStatus.SETTLED)
    settlement = models.PositiveIntegerField()
    idempotency_key = models.CharField(max_length=80, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TransactionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["order", "settlement", "kind"], name="transaction_once_a_settlement"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="transaction_amount_positive"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="transaction_kind_known"),
            models.CheckConstraint(condition=Q(status__in=TransactionStatus.values), name="transaction_status_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} of order {self.order_id}"

    def save(self, *args: Any, **options: Any) -> None:
        if not self._state.adding:
            raise AppendOnly(REFUSAL)
        super().save(*args, **{**options, "force_insert": True})

    def delete(self, *args: Any, **options: Any) -> NoReturn:
        raise AppendOnly(REFUSAL)
