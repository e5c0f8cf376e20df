"""The statements that every captured save and every round of the relay runs, written out.

Django compiles a query for as long as these run: with the ORM the log alone would double a save. ``log.py`` and
``sweep.py`` call it; what is rare they ask of the models.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any, NamedTuple

from django.db import connections, models

from .models import Event, Stream, Sweep

State = dict[str, Any]


class Head(NamedTuple):
    """What a locked stream has."""

    version: int
    state: State | None
    transaction: str


class Written(NamedTuple):
    """A new event of a topic, and what its stream becomes by it."""

    topic: str
    version: int
    state: State | None
    before: State | None
    changed: Sequence[str]
    actor: str
    context: Mapping[str, str]
    at: datetime
    mark: str


Statement = tuple[str, Sequence[Any]]


def ask(*statements: Statement, using: str) -> list[list[Any]]:
    """Run statements one after the other and return the rows of each; in one message where the driver sends text.

    Each sees what was committed before it, as if it were sent by itself: a round trip is a fifth of a bare save.
    """
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and not getattr(connection.features, "uses_server_side_binding", False):
            texts, values = zip(*statements, strict=True)
            cursor.execute("; ".join(texts), [value for given in values for value in given])
            found = [_rows(cursor)]
            while cursor.nextset():
                found.append(_rows(cursor))
            return found
        found = []
        for statement in statements:
            cursor.execute(*statement)
            found.append(_rows(cursor))
        return found


def _rows(cursor: Any) -> list[Any]:
    return list(cursor.fetchall()) if cursor.description else []


def locking(topic: str, *, using: str, wait: bool) -> Statement:
    """Return the statement that locks the stream of ``topic``; it finds none when it is not to ``wait``."""
    return _locking(using, connections[using].vendor, wait), [topic]


@cache
def _locking(using: str, vendor: str, wait: bool) -> str:
    connection = connections[using]
    tail = ""
    if connection.features.has_select_for_update:
        may_skip = connection.features.has_select_for_update_skip_locked
        tail = connection.ops.for_update_sql(skip_locked=may_skip and not wait)
    columns = ", ".join(map(connection.ops.quote_name, ("version", "state", "transaction")))
    return f"SELECT {columns} FROM {Stream._meta.db_table} WHERE topic = %s {tail}"


def head(row: Sequence[Any]) -> Head:
    """Return what a row of ``locking`` says."""
    version, state, transaction = row
    return Head(version, json.loads(state) if isinstance(state, str | bytes) else state, transaction)


def write(new: Written, *, using: str) -> None:
    """Write a new event, whose id stays with the database, and what its stream becomes."""
    connection = connections[using]
    insert, update = _writing(using, connection.vendor)
    state, before = (None if value is None else json.dumps(value) for value in (new.state, new.before))
    at = connection.ops.adapt_datetimefield_value(new.at)
    event = (new.topic, new.version, state, before, new.actor, json.dumps(new.context), at)
    ask(
        (insert, event),
        (update, (new.version, state, json.dumps(new.changed), at, new.mark, new.topic)),
        using=using,
    )


@cache
def _writing(using: str, vendor: str) -> tuple[str, str]:
    quote = connections[using].ops.quote_name
    names = ("topic", "version", "state", "before", "actor", "context", "at")
    columns, marks = ", ".join(map(quote, names)), ", ".join(["%s"] * len(names))
    sets = ", ".join(f"{quote(name)} = %s" for name in ("version", "state", "changed", "at", "transaction"))
    return (
        f"INSERT INTO {Event._meta.db_table} ({columns}) VALUES ({marks})",
        f"UPDATE {Stream._meta.db_table} SET {sets} WHERE topic = %s",
    )


def settle(limit: int, *, using: str) -> tuple[str, list[Event]]:
    """Give up to ``limit`` events their positions, on PostgreSQL: one call; return the epoch and these events."""
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM realtime_settle(%s) ORDER BY pos", [limit])
        found = cursor.fetchall()
    read = partial(_column(Event, "state").from_db_value, expression=None, connection=connection)
    events = [
        Event(pos=pos, topic=topic, version=version, state=read(state), before=read(before), at=at)
        for _, pos, topic, version, state, before, at in found
    ]
    return (found[0][0] if found else ""), events


def stamp(ids: Sequence[int], first: int, *, using: str) -> None:
    """Give the events ``ids`` the positions from ``first`` on, elsewhere than on PostgreSQL: one message."""
    stamps = [(pos, key) for pos, key in enumerate(ids, first)]
    with connections[using].cursor() as cursor:
        cursor.executemany(f"UPDATE {Event._meta.db_table} SET pos = %s WHERE id = %s", stamps)


def is_marked(*, using: str) -> bool:
    """Whether a related row's change waits to be told."""
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT id FROM {Sweep._meta.db_table} ORDER BY id LIMIT 1")
        return cursor.fetchone() is not None


@cache
def _column(model: type[models.Model], name: str) -> Any:
    return model._meta.get_field(name)
