"""What staff decides, and what somebody disputes, the log is told as the reason of the change: staff reads it."""

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from orders.models import Decision, Dispute
from realtime.signals import because


@receiver(post_save, sender=Decision, dispatch_uid="orders.reason")
def reason_say(instance: Decision, **_: Any) -> None:
    because(instance.reason)


@receiver(post_save, sender=Dispute, dispatch_uid="orders.dispute")
def dispute_say(instance: Dispute, **_: Any) -> None:
    because(instance.reason)
