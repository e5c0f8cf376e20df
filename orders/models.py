"""An order, why staff changed it, and the requests that moved its money."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class Status(models.TextChoices):
    NEW = "New", "New"
    CONTINUE = "Continue", "Continue"
    PAUSED = "Paused", "Paused"
    EXTEND = "Extend", "Extend"
    DONE = "Done", "Done"
    DROPPED = "Dropped", "Dropped"


OPEN = frozenset({Status.NEW, Status.CONTINUE, Status.PAUSED, Status.EXTEND})
WITHOUT_BOOSTER = (Status.NEW, Status.DROPPED)


def price_field(**options: Any) -> models.DecimalField:
    """Return a column for money: ten digits, two of them after the point."""
    return models.DecimalField(max_digits=10, decimal_places=2, **options)


class BaseOrder(models.Model):
    """What a client bought, whatever the game. Only the services change it.

    ``booster_price`` is the payout for what is still to be done: a release pays the part done and moves it to
    ``paid_out``. ``worked_price`` is the part of ``actual_price`` that earlier boosters have used up.
    ``settlement`` counts the times that money moved; the ledger has one row of a kind for each.
    """

    client = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders")
    booster = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="assignments"
    )
    game = models.SlugField(max_length=40)
    title = models.CharField(max_length=120)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.NEW)
    actual_price = price_field()
    booster_price = price_field()
    worked_price = price_field(default=0)
    paid_out = price_field(default=0)
    settlement = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=1000, blank=True)
    message = models.CharField(max_length=200, blank=True)
    duo = models.BooleanField(default=False)
    streaming = models.BooleanField(default=False)
    turbo = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = "order"
        ordering = ["-id"]
        indexes = [models.Index(fields=["status", "booster"], name="order_status_booster")]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="order_status_known"),
            models.CheckConstraint(
                condition=Q(status__in=WITHOUT_BOOSTER) | Q(booster__isnull=False), name="order_status_has_booster"
            ),
            models.CheckConstraint(
                condition=Q(booster__isnull=True) | ~Q(booster=F("client")), name="order_booster_is_not_client"
            ),
            models.CheckConstraint(condition=Q(actual_price__gte=0), name="order_actual_price_not_negative"),
            models.CheckConstraint(condition=Q(booster_price__gte=0), name="order_booster_price_not_negative"),
            models.CheckConstraint(condition=Q(paid_out__gte=0), name="order_paid_out_not_negative"),
            models.CheckConstraint(
                condition=Q(worked_price__gte=0, worked_price__lte=F("actual_price")),
                name="order_worked_price_within_price",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.title}"


class Decision(models.Model):
    """Why staff changed an order. Staff reads it; it is in no frame."""

    order = models.ForeignKey(BaseOrder, models.PROTECT, related_name="decisions")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    verb = models.CharField(max_length=20)
    reason = models.CharField(max_length=500)
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.verb} {self.order_id}: {self.reason}"


class Post(models.Model):
    """A request that moved money, under the key its sender chose: sent again, it finds what it made."""

    sender = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    key = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    order = models.ForeignKey(BaseOrder, models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sender", "key"], name="post_sender_key_once")]

    def __str__(self) -> str:
        return self.key
