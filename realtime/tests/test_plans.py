"""The flush has one plan a connection, for one key as for a thousand: it looks up each, and compares none with all."""

import re

import pytest
from django.db import connection, transaction

from realtime.tests.people import delivery, set_status, story, triggers

pytestmark = [pytest.mark.django_db(transaction=True), triggers]

CHANGES = """
PREPARE changes (uuid[]) AS SELECT s.topic FROM realtime_capture_state_delivery($1) n
JOIN realtime_stream s ON s.topic = 'delivery.' || n.key WHERE s.state IS DISTINCT FROM n.state
"""


def test_the_states_of_many_records_are_looked_up_key_by_key() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # As tables are of which nothing is known yet; what other tests left is not.
        cursor.execute("TRUNCATE deliveries_delivery, realtime_stream CASCADE")
        cursor.execute("SELECT unnest(proconfig) FROM pg_proc WHERE proname = 'realtime_capture_flush'")
        for (setting,) in cursor.fetchall():
            if not setting.startswith("search_path"):
                cursor.execute(f"SET LOCAL {setting}")
        cursor.execute(CHANGES)
        try:
            cursor.execute("EXPLAIN (COSTS OFF) EXECUTE changes('{}')")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        finally:
            cursor.execute("DEALLOCATE changes")
    assert "Index Cond: (id = w.key)" in plan
    assert not re.search(r"Seq Scan|Hash|Merge|Materialize", plan), plan


def test_a_name_that_was_declared_later_is_not_said_to_have_changed() -> None:
    """The log of a record that was written before the declaration has no such name."""
    record = delivery()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE realtime_stream SET state = state - 'town' || '{\"gone\": 1}'")
    set_status(record.pk, "moving")
    with connection.cursor() as cursor:
        cursor.execute("SELECT before, changed FROM realtime_event JOIN realtime_stream USING (topic, version)")
        assert cursor.fetchone() == ('{"gone": 1, "status": "waiting"}', '["status"]')
    assert story(record)[-1] == (2, "moving")


def test_a_record_of_many_changes_as_one_by_itself_does() -> None:
    """One record and several have each a path of their own through the flush; what they write is the same."""
    alone, one, two = delivery(), delivery(), delivery()
    set_status(alone.pk, "moving")
    with transaction.atomic():
        for record in (one, two):
            set_status(record.pk, "moving")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT e.before, s.changed, s.version, e.state - '{sender_id,courier_id,courier_name}'::text[]"
            " = s.state - '{sender_id,courier_id,courier_name}'::text[]"
            " FROM realtime_event e JOIN realtime_stream s USING (topic, version)"
        )
        assert cursor.fetchall() == [('{"status": "waiting"}', '["status"]', 2, True)]
    assert story(alone) == story(one) == story(two)
