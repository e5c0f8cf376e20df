"""The statements that every captured save and every round of the relay runs, written out.

Django compiles a query for as long as these run: with the ORM the log alone would double a save. ``log.py`` is the only
caller; what is rare it asks of the models.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from django.db import connections, models

from .models import Event, Stream


def lock(topic: str, *, using: str, wait: bool) -> Stream | None:
    """Return the stream of ``topic`` with its row locked; ``None`` where it has none, or when it is not to ``wait``."""
    connection = connections[using]
    tail = ""
    if connection.features.has_select_for_update:
        may_skip = connection.features.has_select_for_update_skip_locked
        tail = connection.ops.for_update_sql(skip_locked=may_skip and not wait)
    columns = ", ".join(map(connection.ops.quote_name, ("version", "state", "transaction")))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {Stream._meta.db_table} WHERE topic = %s {tail}", [topic])
        row = cursor.fetchone()
    if row is None:
        return None
    version, state, transaction = row
    state = _column(Stream, "state").from_db_value(state, None, connection)
    return Stream(topic=topic, version=version, state=state, transaction=transaction)


def add(event: Event, *, using: str) -> None:
    """Write a new event; its id stays with the database."""
    connection = connections[using]
    names = ("topic", "version", "state", "before", "actor", "context", "at")
    columns, marks = ", ".join(map(connection.ops.quote_name, names)), ", ".join(["%s"] * len(names))
    values = [_column(Event, name).get_db_prep_save(getattr(event, name), connection) for name in names]
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {Event._meta.db_table} ({columns}) VALUES ({marks})", values)


def advance(stream: Stream, *, using: str) -> None:
    """Write what a stream is now."""
    connection = connections[using]
    names = ("version", "state", "changed", "at", "transaction")
    sets = ", ".join(f"{connection.ops.quote_name(name)} = %s" for name in names)
    values = [_column(Stream, name).get_db_prep_save(getattr(stream, name), connection) for name in names]
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {Stream._meta.db_table} SET {sets} WHERE topic = %s", [*values, stream.topic])


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


@cache
def _column(model: type[models.Model], name: str) -> Any:
    return model._meta.get_field(name)
