"""Retention: old versions leave the log when somebody says so. Nothing is trimmed by itself.

What stays: everything unsettled (invariant I16), the newest version of every topic, and with it the whole current
state. Who resumes below what is kept gets that state.
"""

import datetime
from collections.abc import Generator

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from . import conf
from .models import Event, Stream


def prune(*, before: datetime.datetime, keep: int = 1, batch: int = 1000) -> Generator[int, None, None]:
    """Remove events from before a moment, except the newest ``keep`` of each topic; yield their number, by batch.

    Each batch is a transaction of its own, oldest events first: stopped anywhere, what is left of a topic is its end.
    """
    using = conf.current().database
    oldest = prunable(before=before, keep=keep).order_by("id").values_list("id", flat=True)
    last = 0
    while ids := list(oldest.filter(id__gt=last)[:batch]):
        with transaction.atomic(using=using):
            removed, _ = Event.objects.using(using).filter(id__in=ids).delete()
        yield removed
        last = ids[-1]


def prunable(*, before: datetime.datetime, keep: int = 1) -> QuerySet[Event]:
    """Return the events that ``prune`` would remove."""
    using = conf.current().database
    newer = Stream.objects.using(using).filter(topic=OuterRef("topic"), version__gte=OuterRef("version") + max(1, keep))
    return Event.objects.using(using).filter(Exists(newer), pos__isnull=False, at__lt=before)
