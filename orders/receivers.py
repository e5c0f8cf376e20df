"""What staff decides, the log is told as the reason of the change."""

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from orders.models import Decision
from realtime.signals import because


@receiver(post_save, sender=Decision, dispatch_uid="orders.reason")
def reason_say(instance: Decision, **_: Any) -> None:
    because(instance.reason)
