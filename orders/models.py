"""An order, why staff changed it, disputes about it, and the requests that moved its money."""

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
ENDED = frozenset({Status.DONE, Status.DROPPED})
WITHOUT_BOOSTER = (Status.NEW, Status.DROPPED)


def price_field(**options: Any) -> models.DecimalField:
    """Return a column for money: ten digits, two of them after the point."""
    return models.DecimalField(max_digits=10, decimal_places=2, **options)


class BaseOrder(models.Model):
    """What a client bought, whatever the game. Only the services change it.

    ``booster_price`` is the payout for what is still to be done: a release pays the part done and moves it to
    ``paid_out``. ``worked_price`` is the part of ``actual_price`` that earlier boosters have used up.
    ``settlement`` counts the times that money moved; the ledger has one row of a kind for each. While it is
    ``disputed``, payouts are held instead of paid.
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
    disputed = models.BooleanField(default=False)
    duo = models.BooleanField(default=False)
    streaming = models.BooleanField(default=False)
    turbo = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

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


class Outcome(models.TextChoices):
    """What a manager decided about a dispute, and about each payout that it held."""

    PAID = "paid", "paid out"
    REFUNDED = "refunded", "refunded"


def _outcome_known(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(outcome__in=["", *Outcome.values]), name=name)


class Dispute(models.Model):
    """A client or staff says that something is wrong. Open while ``outcome`` is empty; an order has one open at a time.

    Client and staff read the reason; it is in no frame.
    """

    order = models.ForeignKey(BaseOrder, models.PROTECT, related_name="disputes")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    opened_at = models.DateTimeField(default=timezone.now, editable=False)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    resolved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["order"], condition=Q(outcome=""), name="dispute_one_open"),
            _outcome_known("dispute_outcome_known"),
            models.CheckConstraint(
                condition=Q(outcome="", resolved_by__isnull=True, resolved_at__isnull=True)
                | (~Q(outcome="") & Q(resolved_by__isnull=False, resolved_at__isnull=False)),
                name="dispute_resolved_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"dispute {self.pk} of order {self.order_id}"


class HeldPayout(models.Model):
    """A payout that became due while its order was disputed. Held while ``outcome`` is empty, then decided once.

    ``price`` is what the client paid for the same part of the way: the refund, if it comes to that. ``released``: the
    booster gave the order up with it, so the amount stands in ``paid_out``; otherwise in ``booster_price``.
    """

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="held")
    booster = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    amount = price_field()
    price = price_field()
    settlement = models.PositiveIntegerField()
    released = models.BooleanField(default=False)
    held_at = models.DateTimeField(default=timezone.now, editable=False)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["dispute", "settlement"], name="held_payout_once_a_settlement"),
            models.CheckConstraint(condition=Q(amount__gte=0, price__gte=0), name="held_payout_amounts"),
            _outcome_known("held_payout_outcome_known"),
        ]

    def __str__(self) -> str:
        return f"held payout {self.pk}"


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
