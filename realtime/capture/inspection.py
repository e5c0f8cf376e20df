"""What of the capture is in force in a PostgreSQL database, beside what the declarations ask for."""

from dataclasses import dataclass
from typing import Any

from django.db import Error as DatabaseError
from django.db import transaction

from ..feeds import all_feeds
from . import postgres
from .functions import PREFIX

_STATES = {None: "missing", "D": "disabled", "R": "on for replicas only"}
"""What ``pg_trigger.tgenabled`` says of a trigger that does not fire for a usual session."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that the declarations ask for; ``trouble`` is '' when it fires."""

    table: str
    name: str
    trouble: str


def is_migrated(connection: Any) -> bool:
    """Whether the tables of the log are there at all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('realtime_stream') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def triggers(connection: Any) -> list[Trigger]:
    """Return every trigger that the declarations ask for, as the catalogue has it."""
    wanted = [(source.table, name) for source in postgres.sources(connection) for name in source.triggers]
    wanted += [(end.table, end.name) for end in postgres.ends(connection)]
    wanted.append((f"{PREFIX}_marks", f"{PREFIX}_flush"))
    tables, names = zip(*wanted, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.place, w.name, t.tgenabled::text FROM unnest(%s::text[], %s::text[]) AS w (place, name)"
            " LEFT JOIN pg_trigger t ON t.tgrelid = to_regclass(w.place) AND t.tgname = w.name AND NOT t.tgisinternal",
            [list(tables), list(names)],
        )
        return [Trigger(table.strip('"'), name, _STATES.get(state, "")) for table, name, state in cursor.fetchall()]


def troubles(connection: Any) -> dict[str, list[str]]:
    """Return what is wrong, each with the tables that it concerns; empty when every write is captured."""
    found: dict[str, list[str]] = {}
    for trigger in triggers(connection):
        if trigger.trouble and trigger.table not in found.setdefault(trigger.trouble, []):
            found[trigger.trouble].append(trigger.table)
    return found


def is_stale(connection: Any) -> bool:
    """Whether what is installed was generated from other declarations than those of this process."""
    return postgres.installed(connection) != postgres.wanted(connection)[1]


def broken(connection: Any) -> dict[str, str]:
    """Return what keeps the states of a feed from being computed, by feed: a column that was renamed, for example."""
    found = {}
    for feed in all_feeds():
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM {PREFIX}_state_{feed.name}('{{}}')")  # noqa: S608
        except DatabaseError as error:
            found[feed.name] = str(error).strip().splitlines()[0]
    return found
