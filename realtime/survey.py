"""The log and the records as a whole: every one of them, in pages, and how the log stands.

For the operator's commands. Each page costs a few statements and locks nothing; what differs is locked one by one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from django.db import connections
from django.db.models import Max, Min, QuerySet

from . import conf, log
from .feeds import Feed
from .models import Epoch, Event, Stream


@dataclass(frozen=True, slots=True)
class Page:
    """Keys that were looked at, and what was found among them."""

    looked: int
    found: int
    last: Any


def reconcile(feed: type[Feed], *, batch: int, keys: list[Any] | None = None, keep: bool = True) -> Iterator[Page]:
    """Compare every record, and every stream whose record is gone, with the log; a difference becomes an event.

    ``keys`` names the records, otherwise it is all of them. Without ``keep`` nothing is written. Writers may go on: a
    difference is looked at again with its stream locked, and who writes there now tells it himself.
    """
    for page in [keys] if keys is not None else chain(_records(feed, batch), _vanished(feed, batch)):
        yield Page(len(page), len(log.reconcile(feed, page, wait=True, keep=keep)), page[-1] if page else None)


def catch_up(feed: type[Feed], *, batch: int) -> int:
    """Compare every record that the log has a state of, or had; return the number of events that this made."""
    streams = Stream.objects.using(conf.current().database).filter(topic__startswith=f"{feed.name}.")
    pages = _pages(streams, "topic", batch)
    keys = ([feed.key(topic.removeprefix(f"{feed.name}.")) for topic in page] for page in pages)
    return sum(len(log.reconcile(feed, [key for key in page if key is not None])) for page in keys)


def begin(feed: type[Feed], *, batch: int) -> Iterator[Page]:
    """Make the ``Stream`` rows of all records that have none; each page is committed by itself."""
    for page in _records(feed, batch):
        yield Page(len(page), len(log.begin(feed, page)), page[-1])


def without_stream(feed: type[Feed], *, batch: int) -> int:
    """Return how many records have no ``Stream`` row."""
    streams = Stream.objects.using(conf.current().database)
    missing = 0
    for page in _records(feed, batch):
        missing += len(page) - streams.filter(topic__in=[feed.topic(key) for key in page]).count()
    return missing


def _records(feed: type[Feed], batch: int) -> Iterable[list[Any]]:
    return _pages(feed.model._base_manager.using(conf.current().database), "pk", batch)


def _vanished(feed: type[Feed], batch: int) -> Iterator[list[Any]]:
    """Yield the keys of streams that have a state and no record."""
    using = conf.current().database
    streams = Stream.objects.using(using).filter(topic__startswith=f"{feed.name}.", state__isnull=False)
    for page in _pages(streams, "topic", batch):
        keys = {key for topic in page if (key := feed.key(topic.removeprefix(f"{feed.name}."))) is not None}
        there = feed.model._base_manager.using(using).filter(pk__in=keys).values_list("pk", flat=True)
        if gone := sorted(keys - set(there)):
            yield gone


def _pages(rows: "QuerySet[Any]", field: str, size: int) -> Iterator[list[Any]]:
    """Yield the values of ``field``, which is unique, in pages that each begin behind the last."""
    rows = rows.order_by(field).values_list(field, flat=True)
    page = list(rows[:size])
    while page:
        yield page
        page = list(rows.filter(**{f"{field}__gt": page[-1]})[:size])


@dataclass(frozen=True, slots=True)
class Condition:
    """How the log stands: its epoch, what waits to be settled and since when, and the room it takes."""

    epoch: str
    position: int
    newest_position: int
    unsettled: int
    oldest: datetime | None
    events: int
    size: int | None


def condition() -> Condition:
    """Return how the log stands; ``events`` is an estimate on PostgreSQL, and only there is a ``size`` in bytes."""
    using = conf.current().database
    events = Event.objects.using(using)
    newest = events.aggregate(newest=Max("pos"))["newest"] or 0
    row = Epoch.objects.using(using).first()  # after the events: positions are given while we look
    waiting = events.filter(pos=None)
    number, size = _room(using)
    return Condition(
        epoch=row.epoch if row else "",
        position=row.pos if row else 0,
        newest_position=newest,
        unsettled=waiting.count(),
        oldest=waiting.aggregate(oldest=Min("at"))["oldest"],
        events=events.count() if number is None else number,
        size=size,
    )


def _room(using: str) -> tuple[int | None, int | None]:
    """Return about how many events there are, and their bytes, indexes included, where the database can tell."""
    if connections[using].vendor != "postgresql":
        return None, None
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT nullif(greatest(reltuples, -1), -1)::bigint, pg_total_relation_size(oid)"
            " FROM pg_class WHERE oid = %s::regclass",
            [Event._meta.db_table],
        )
        number, size = cursor.fetchone()
    return number, size
