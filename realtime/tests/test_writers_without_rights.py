"""A role that may write the records and nothing else: it is captured, and gets no more by it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import Error as DatabaseError
from django.db import connection, transaction

from realtime.models import Event, Stream
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, events, logged_in, role, story, triggers

pytestmark = [pytest.mark.django_db(transaction=True), triggers]


@pytest.fixture
def writer() -> Iterator[str]:
    """A role with rights on the records alone."""
    with role() as name:
        execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries_delivery, deliveries_route TO {name}")
        yield name


def execute(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)


def refused(sql: str) -> str:
    """Return why the database refuses ``sql``."""
    with pytest.raises(DatabaseError) as error, transaction.atomic():
        execute(sql)
    return str(error.value)


def test_it_writes_and_is_captured(writer: str) -> None:
    record = delivery()
    with logged_in(writer):
        execute("UPDATE deliveries_delivery SET status = 'moving'")
        execute("INSERT INTO deliveries_route (delivery_id, town) VALUES (%s, 'Ulm')", record.pk)
        execute("DELETE FROM deliveries_route")
        execute("DELETE FROM deliveries_delivery")
    assert story(record) == [(1, "waiting"), (2, "moving"), (3, "moving"), (4, "moving"), (5, "gone")]
    assert {event.context["role"] for event in events(record)[1:]} == {writer}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM realtime_event",
        "SELECT * FROM realtime_stream",
        "UPDATE realtime_stream SET state = NULL",
        "INSERT INTO realtime_capture_marks (feed, keys) VALUES ('delivery', '{}')",
        "DELETE FROM realtime_capture_marks",
        "SELECT * FROM accounts_user",
        "SELECT * FROM realtime_capture_state_delivery(ARRAY(SELECT id FROM deliveries_delivery))",
        "SELECT realtime_capture_flush()",
        "CREATE TEMP TABLE mine (transaction xid8, feed text, keys text[]);"
        "CREATE CONSTRAINT TRIGGER mine AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION realtime_capture_flush()",
        "ALTER TABLE deliveries_delivery DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
    ],
)
def test_it_reads_and_calls_nothing_of_the_log(writer: str, sql: str) -> None:
    delivery()
    with logged_in(writer):
        said = refused(sql)
    assert "permission denied" in said or "must be owner" in said


def test_tables_and_functions_of_its_own_do_not_stand_before_ours(writer: str) -> None:
    """The classical attack on SECURITY DEFINER: names of ours in a schema of his, put first on the search path."""
    record = delivery()
    with logged_in(writer):
        execute(
            "CREATE TEMP TABLE realtime_stream (topic text PRIMARY KEY, version bigint, state jsonb, changed jsonb,"
            " at timestamptz, transaction text);"
            "CREATE TEMP TABLE realtime_event (topic text, version bigint, state jsonb, before jsonb, actor text,"
            " context jsonb, at timestamptz, pos bigint);"
            "CREATE TEMP TABLE realtime_capture_marks (transaction xid8 DEFAULT pg_current_xact_id(), feed text,"
            " keys text[]);"
            "CREATE TEMP TABLE deliveries_delivery (id uuid PRIMARY KEY, status text);"
            "CREATE TEMP TABLE accounts_user (id bigint, username text);"
            "CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
            " AS $$ SELECT 'epoch'::timestamptz $$;"
            "CREATE FUNCTION pg_temp.realtime_capture_before(jsonb, jsonb) RETURNS jsonb LANGUAGE sql"
            " AS $$ SELECT NULL::jsonb $$;"
            "SET search_path = pg_temp, public"
        )
        try:
            execute("UPDATE public.deliveries_delivery SET status = 'moving'")
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_temp.realtime_event")
                assert cursor.fetchone() == (0,)
        finally:
            execute("RESET search_path")
            execute("DISCARD TEMP")
    assert story(record) == [(1, "waiting"), (2, "moving")]
    event = events(record)[-1]
    assert event.before == {"status": "waiting"}
    assert event.at.year > 2000
    assert (Event.objects.count(), Stream.objects.get().version) == (2, 2)
    assert Delivery.objects.get().status == "moving"
