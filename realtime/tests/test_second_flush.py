"""SET CONSTRAINTS IMMEDIATE has the capture run in the middle of a transaction: it still has one event a topic."""

import pytest
from django.db import connection, transaction

from realtime.testing import capture_at_once
from realtime.tests.deliveries.models import Delivery, Route
from realtime.tests.people import delivery, events, set_status, story, stream, triggers

pytestmark = [pytest.mark.django_db(transaction=True), triggers]


def constraints(when: str) -> None:
    """As Django's schema editor and ``TestCase`` do it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET CONSTRAINTS ALL {when}")


def flush() -> None:
    constraints("IMMEDIATE")
    constraints("DEFERRED")


def test_the_event_of_the_first_flush_is_rewritten() -> None:
    record = delivery()
    with transaction.atomic():
        set_status(record.pk, "packed")
        flush()
        assert story(record) == [(1, "waiting"), (2, "packed")]
        set_status(record.pk, "moving")
        Route.objects.create(delivery=record, town="Ulm")
        flush()
        set_status(record.pk, "there")
    assert story(record) == [(1, "waiting"), (2, "there")]
    assert events(record)[-1].before == {"status": "waiting", "town": "nowhere"}
    assert set(stream(record).changed) == {"status", "town"}


def test_back_where_it_began_takes_the_event_back() -> None:
    record = delivery()
    with transaction.atomic():
        set_status(record.pk, "packed")
        flush()
        set_status(record.pk, "waiting")
    assert story(record) == [(1, "waiting")]
    set_status(record.pk, "moving")
    assert story(record) == [(1, "waiting"), (2, "moving")]


def test_without_a_change_between_two_flushes_nothing_is_added() -> None:
    record = delivery()
    with transaction.atomic():
        set_status(record.pk, "packed")
        flush()
        record.refresh_from_db()
        record.save()
        flush()
    assert story(record) == [(1, "waiting"), (2, "packed")]


def test_a_record_made_flushed_and_deleted_leaves_nothing() -> None:
    with transaction.atomic():
        record = delivery()
        key = record.pk
        flush()
        record.delete()
    record.pk = key
    assert story(record) == []
    assert (stream(record).version, stream(record).state) == (0, None)


def test_a_deleted_and_flushed_record_that_comes_back_is_the_change_alone() -> None:
    record = delivery()
    with transaction.atomic():
        Delivery.objects.filter(pk=record.pk)._raw_delete("default")
        flush()
        record.status = "moving"
        record.save(force_insert=True)
    assert story(record) == [(1, "waiting"), (2, "moving")]
    assert events(record)[-1].before == {"status": "waiting"}


def test_a_savepoint_takes_its_flush_along() -> None:
    record = delivery()
    with transaction.atomic():
        set_status(record.pk, "packed")
        flush()
        with transaction.atomic():
            set_status(record.pk, "lost")
            flush()
            transaction.set_rollback(True)
        set_status(record.pk, "moving")
    assert story(record) == [(1, "waiting"), (2, "moving")]
    assert events(record)[-1].before == {"status": "waiting"}


def test_two_records_flushed_apart_have_an_event_each() -> None:
    one, two = delivery(), delivery()
    with transaction.atomic():
        set_status(one.pk, "packed")
        flush()
        set_status(two.pk, "packed")
        flush()
        set_status(one.pk, "moving")
    assert (story(one)[1:], story(two)[1:]) == ([(2, "moving")], [(2, "packed")])


def test_a_flush_a_statement_ends_at_the_same_place() -> None:
    record = delivery()
    with transaction.atomic():
        capture_at_once()
        for status in ("packed", "moving", "there"):
            set_status(record.pk, status)
            assert story(record) == [(1, "waiting"), (2, status)]
    assert story(record) == [(1, "waiting"), (2, "there")]
