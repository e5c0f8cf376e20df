"""What the soak's database says: who has which order, which versions there are, and whether the log is whole."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import Q

from orders.feeds import OrderFeed
from orders.models import BaseOrder, Status
from realtime.capture import orm
from realtime.capture.base import plain
from realtime.log import changed
from realtime.models import Epoch, Event, Stream
from tests.soak.cast import Person
from tests.soak.ledger import Key, Written, audience_in, masked

NAMES = list(OrderFeed.fields)
AWAY = (DatabaseError, psycopg.Error)
"""What is raised while the database is away; a cursor that loses it between two rows has psycopg's own word."""


@dataclass(frozen=True, slots=True)
class Heads:
    """The newest version of each order; all of it was committed before ``clock``, which is the database's."""

    versions: dict[str, int]
    clock: str


def patiently(work: Any) -> Any:
    """Return ``work()``; once more on a new connection when the old one is gone."""
    try:
        return work()
    except AWAY:
        connection.close()
        return work()


def heads() -> Heads:
    """Return where each order is."""
    found = Stream.objects.filter(topic__startswith="order.").values_list("topic", "version")
    versions = {topic.removeprefix("order."): version for topic, version in found}
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        clock: datetime = cursor.fetchone()[0]
    return Heads(versions, plain(clock))


def directory() -> dict[int, dict[str, Any]]:
    """Return the gates of every order that may still change, and of the newest others."""
    rows = BaseOrder.objects.values("id", "client_id", "booster_id", "status")
    return {row.pop("id"): row for row in rows.order_by("-pk")[:500]}


def events(keys: Collection[Key], after: dict[int, int]) -> dict[Key, Written]:
    """Return the events with these keys, and those of the orders in ``after`` from that version on."""
    wanted = {f"order.{order}" for order, _ in keys} | {f"order.{order}" for order in after}
    least = min([version for _, version in keys] + list(after.values()), default=0)
    named = set(keys)
    found = {}
    for event in Event.objects.filter(topic__in=wanted, version__gte=least).iterator():
        order = int(event.topic.removeprefix("order."))
        if (order, event.version) in named or (order in after and event.version >= after[order]):
            found[order, event.version] = Written(event.state, frozenset(changed(event)), plain(event.at))
    return found


def rows_seen(people: Collection[Person], keys: Collection[int]) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the masked row of each order that each person may see now, by person and order."""
    states = orm.read(OrderFeed, list(keys), using="default")
    return {
        (person.id, key): masked(state, audience, NAMES)
        for person in people
        for key, state in states.items()
        if (audience := audience_in(person, state)) is not None
    }


def board(name: str, person: Person, chosen: dict[str, Any], limit: int) -> list[int]:
    """Return whom a board lists, by what PROTOCOL §3 says of boards."""
    rows = BaseOrder.objects.filter(**({"status": chosen["status"]} if "status" in chosen else {}))
    if name == "mine":
        rows = rows.filter(Q(client=person.id) if person.role == "client" else Q(booster=person.id))
    elif name == "available":
        rows = rows.filter(booster=None, status=Status.NEW)
    return list(rows.order_by("-pk").values_list("pk", flat=True)[:limit])


def wrong_in_the_log() -> list[str]:
    """Say what is not as it should be: versions 1, 2, 3 … of each topic, positions without a gap, heads, states."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT topic, count(*), min(version), max(version) FROM realtime_event GROUP BY topic"
            " HAVING min(version) <> 1 OR max(version) <> count(*)"
        )
        found += [f"versions of {row} are not dense" for row in cursor.fetchall()]
        cursor.execute(
            "SELECT s.topic, s.version, max(e.version) FROM realtime_stream s"
            " LEFT JOIN realtime_event e ON e.topic = s.topic GROUP BY s.topic"
            " HAVING s.version <> coalesce(max(e.version), 0)"
        )
        found += [f"head and newest event differ: {row}" for row in cursor.fetchall()]
        cursor.execute("SELECT count(*), count(pos), min(pos), max(pos), count(DISTINCT pos) FROM realtime_event")
        many, settled, first, last, different = cursor.fetchone()
        if not (many == settled == last == different == Epoch.objects.get().pos and first == 1):
            found.append(f"{many} events, {settled} settled, positions {first} to {last}, {Epoch.objects.get().pos}")
        cursor.execute("SELECT count(*) FROM realtime_event WHERE state::text LIKE '%rolled back%'")
        found += [f"{row[0]} events of rolled back work" for row in cursor.fetchall() if row[0]]
    keys = list(BaseOrder.objects.values_list("pk", flat=True))
    logged = dict(Stream.objects.filter(topic__startswith="order.").values_list("topic", "state"))
    states = orm.read(OrderFeed, keys, using="default")
    found += [f"order.{key}: the log's state is not the row" for key in keys if logged[f"order.{key}"] != states[key]]
    return found
