"""What opens a client's game account, sealed, and who has read it. Neither is declared in a feed: it is in no frame."""

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Role
from orders.models import BaseOrder
from vault.exceptions import AppendOnly
from vault.sealing import Sealed

REFUSAL = "A reading stays as it was written."


class GameAccount(models.Model):
    """The account data of an order. ``sealed`` is a token of the key named ``key``; only services open it."""

    order = models.OneToOneField(BaseOrder, models.PROTECT, related_name="game_account")
    key = models.CharField(max_length=40, editable=False)
    token = models.TextField(editable=False)
    given_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["key"], name="game_account_key")]

    def __str__(self) -> str:
        return f"account data of order {self.order_id}"

    @property
    def sealed(self) -> Sealed:
        return Sealed(self.key, self.token)


class ReadingQuerySet(models.QuerySet["Reading"]):
    """Reads and inserts; refuses the rest."""

    def update(self, **changes: Any) -> NoReturn:
        raise AppendOnly(REFUSAL)

    def bulk_update(self, *args: Any, **options: Any) -> NoReturn:
        raise AppendOnly(REFUSAL)

    def delete(self) -> NoReturn:
        raise AppendOnly(REFUSAL)


class Reading(models.Model):
    """Somebody was shown the account data of an order. The row outlives the data."""

    order = models.ForeignKey(BaseOrder, models.PROTECT, related_name="readings")
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    role = models.CharField(max_length=10, choices=Role.choices)
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ReadingQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(condition=Q(role__in=(Role.CLIENT, Role.BOOSTER)), name="reading_role_may_read")
        ]

    def __str__(self) -> str:
        return f"reading {self.pk} of order {self.order_id}"

    def save(self, *args: Any, **options: Any) -> None:
        if not self._state.adding:
            raise AppendOnly(REFUSAL)
        super().save(*args, **{**options, "force_insert": True})

    def delete(self, *args: Any, **options: Any) -> NoReturn:
        raise AppendOnly(REFUSAL)
