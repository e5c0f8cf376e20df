"""Tables that change under the triggers: no writer is stopped, and what was missed is found."""

from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection, transaction

from realtime.tests.people import delivery, events, set_status, story, triggers

pytestmark = [pytest.mark.django_db(transaction=True), triggers]


def execute(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def test_a_row_and_its_table_can_change_in_one_transaction() -> None:
    """A trigger for each row, deferred on this table, would make PostgreSQL refuse: pending events, 55006."""
    record = delivery()
    try:
        with transaction.atomic():
            set_status(record.pk, "moving")
            execute("ALTER TABLE deliveries_delivery ADD COLUMN weight integer")
            execute("UPDATE deliveries_delivery SET weight = 3")
    finally:
        execute("ALTER TABLE deliveries_delivery DROP COLUMN IF EXISTS weight")
    assert story(record) == [(1, "waiting"), (2, "moving")]


def test_a_renamed_column_stops_no_writer_and_reconcile_tells_what_was_missed() -> None:
    record, other = delivery(), delivery()
    execute("ALTER TABLE deliveries_delivery RENAME COLUMN status TO stage")
    try:
        execute("UPDATE deliveries_delivery SET stage = 'moving' WHERE id = %s", record.pk)
        execute("DELETE FROM deliveries_delivery WHERE id = %s", other.pk)
        said = [message for message in run_checks(databases=["default"]) if message.id == "realtime.W003"]
        assert len(said) == 1
        assert "realtime_reconcile" in str(said[0].hint)
    finally:
        execute("ALTER TABLE deliveries_delivery RENAME COLUMN stage TO status")
    assert (story(record), story(other)) == ([(1, "waiting")], [(1, "waiting")])
    call_command("realtime_reconcile", "--feed", "delivery", stdout=StringIO())
    assert story(record) == [(1, "waiting"), (2, "moving")]
    assert story(other) == [(1, "waiting"), (2, "gone")]
    assert events(record)[-1].context["source"] == "reconcile"
    set_status(record.pk, "there")
    assert story(record)[-1] == (3, "there")


def test_marks_of_a_failed_flush_are_not_taken_for_a_later_transactions() -> None:
    record, other = delivery(), delivery()
    execute("ALTER TABLE deliveries_route RENAME COLUMN town TO place")
    try:
        execute("UPDATE deliveries_delivery SET status = 'moving' WHERE id = %s", record.pk)
    finally:
        execute("ALTER TABLE deliveries_route RENAME COLUMN place TO town")
    set_status(other.pk, "packed")
    assert (story(record), story(other)[-1]) == ([(1, "waiting")], (2, "packed"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM realtime_capture_marks")
        assert cursor.fetchone() == (0,), "they do not pile up"
    set_status(record.pk, "there")
    assert story(record) == [(1, "waiting"), (2, "there")], "the next captured write tells the whole state"
