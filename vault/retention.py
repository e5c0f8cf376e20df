"""Account data goes when nobody needs it any more, and so do the addresses of those who have read it."""

import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from orders.models import ENDED
from vault.models import GameAccount, Reading


def accounts_expire(*, ended_before: datetime.datetime, batch: int) -> int:
    """Erase the account data of orders that ended before a moment; return of how many. Each batch is a transaction.

    An order whose end was written past the services has no moment of it: the last change of the data stands for it.
    """
    erased = 0
    ended = GameAccount.objects.filter(order__status__in=ENDED).annotate(end=Coalesce("order__ended_at", "changed_at"))
    while True:
        with transaction.atomic():
            # Locked in key order, as the rotation does: two that cross would stop each other.
            rows = ended.filter(end__lt=ended_before).select_for_update(of=("self",)).order_by("pk").only("pk")
            keys = [row.pk for row in rows[:batch]]
            erased += GameAccount.objects.filter(pk__in=keys).delete()[0]
        if not keys:
            return erased


def addresses_expire(*, read_before: datetime.datetime, batch: int) -> int:
    """Blank the addresses of readings before a moment, and return of how many; who has read what when stays."""
    blanked = 0
    # Readings are append-only for everybody else.
    readings: QuerySet[Reading] = QuerySet(Reading)
    old = readings.filter(address__isnull=False, at__lt=read_before).order_by("pk").values_list("pk", flat=True)
    while keys := list(old[:batch]):
        blanked += readings.filter(pk__in=keys).update(address=None)
    return blanked
