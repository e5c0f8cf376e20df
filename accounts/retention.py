"""What is written of failed log-ins goes when it counts no more: a name, an address, a browser."""

import datetime

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.utils import timezone


def tries_expire(*, made_before: datetime.datetime) -> int:
    """Delete tries whose last one was made before a moment, and return how many; those that still count stay."""
    made_before = min(made_before, timezone.now() - settings.AXES_COOLOFF_TIME)
    kinds = (AccessAttempt, AccessFailureLog, AccessLog)
    return sum(int(kind.objects.filter(attempt_time__lt=made_before).delete()[0]) for kind in kinds)
