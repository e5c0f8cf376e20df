"""A delivery, where it is, and what was paid for it."""

import uuid
from decimal import Decimal

from django.conf import settings
from django.db import models


class Tag(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    courier = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    status = models.CharField(max_length=20, default="waiting")
    price = models.DecimalField(max_digits=10, decimal_places=2, default=Decimal("10.00"))
    memo = models.CharField(max_length=100, blank=True)
    """Not declared: no change of it is an event, and no viewer gets it."""

    tags = models.ManyToManyField(Tag, related_name="deliveries")

    def __str__(self) -> str:
        return str(self.id)


class Parcel(Delivery):
    """The same rows under another name."""

    class Meta:
        proxy = True


class Express(Delivery):
    """A child with a table of its own."""

    hours = models.IntegerField(default=2)


class Route(models.Model):
    delivery = models.OneToOneField(Delivery, models.CASCADE, related_name="route")
    town = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.town


class Toll(models.Model):
    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="tolls")
    kind = models.CharField(max_length=10, default="road")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"
