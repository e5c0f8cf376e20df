"""A sender, a courier and their delivery, for tests of ``realtime`` by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from realtime.capture import postgres
from realtime.models import Stream
from realtime.testing import events_of
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery

_numbers = count(1)
triggers = pytest.mark.skipif(connection.vendor != "postgresql", reason="triggers are PostgreSQL's")


def user(name: str = "") -> Any:
    return get_user_model().objects.create(username=name or f"user{next(_numbers)}")


def delivery(**values: Any) -> Delivery:
    return Delivery.objects.create(**{"sender": user(), "courier": user(), **values})


def set_status(key: Any, status: str) -> None:
    """Save another status, as a process does that has just read the record."""
    record = Delivery.objects.get(pk=key)
    record.status = status
    record.save(update_fields=["status"])


events = events_of


def stream(record: Delivery) -> Stream:
    return Stream.objects.get(topic=DeliveryFeed.topic(record.pk))


def story(record: Delivery) -> list[tuple[int, str]]:
    """Return version and status of each event."""
    return [(event.version, (event.state or {}).get("status", "gone")) for event in events(record)]


@contextmanager
def unseen() -> Iterator[None]:
    """Write with triggers off, as a restore does; elsewhere than on PostgreSQL as SQL does, past the ORM's capture."""
    if connection.vendor != "postgresql":
        with (
            mock.patch("realtime.capture.queries.by_triggers", return_value=True),
            mock.patch("realtime.signals.by_triggers", return_value=True),
        ):
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            cursor.execute("RESET session_replication_role")


def trigger_of(table: str, event: str) -> str:
    """Return the name of the trigger that captures ``event`` (``update``) on ``table``."""
    sources = postgres.sources(connection)
    return next(f"{source.name}_{event}" for source in sources if source.table.strip('"') == table)


@contextmanager
def role() -> Iterator[str]:
    """Make a database role that may log in and nothing else; its name, which no other test has."""
    name = f"role_{uuid4().hex[:12]}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN")
        try:
            yield name
        finally:
            cursor.execute("RESET SESSION AUTHORIZATION")
            cursor.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


@contextmanager
def logged_in(name: str) -> Iterator[None]:
    """Work as the role ``name`` on this connection."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION AUTHORIZATION {name}")
        try:
            yield
        finally:
            cursor.execute("RESET SESSION AUTHORIZATION")


def waits_for_a_lock() -> None:
    """Return when somebody waits for a lock in this database."""
    with connection.cursor() as cursor:
        for _ in range(3000):
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.01)")
    raise TimeoutError("nobody waits")
