"""TRUNCATE is captured; what is written with triggers off is not, and the commands find it."""

from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from realtime import log
from realtime.models import Event, Stream
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery, Route, Toll
from realtime.tests.people import delivery, events, set_status, story, stream, triggers, unseen

pytestmark = [pytest.mark.django_db(transaction=True), triggers]


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def reconcile(*arguments: str) -> str:
    said = StringIO()
    call_command("realtime_reconcile", "--feed", "delivery", *arguments, stdout=said)
    return said.getvalue()


def test_truncating_the_records_ends_them_all() -> None:
    records = [delivery(), delivery()]
    Route.objects.create(delivery=records[0], town="Ulm")
    execute("TRUNCATE deliveries_delivery CASCADE")
    assert [story(record)[-1] for record in records] == [(3, "gone"), (2, "gone")]
    assert "0 looked at" in reconcile()


def test_truncating_a_part_empties_its_slots() -> None:
    record, without = delivery(), delivery()
    Toll.objects.create(delivery=record, amount=Decimal("1.50"))
    execute("TRUNCATE deliveries_toll")
    assert (stream(record).state or {})["last_toll"] is None
    assert (len(events(record)), len(events(without))) == (3, 1)


def test_a_role_with_triggers_off_writes_unseen_until_the_next_captured_write() -> None:
    record = delivery()
    with unseen():
        execute("UPDATE deliveries_delivery SET price = 99")
    assert story(record) == [(1, "waiting")]
    set_status(record.pk, "moving")
    assert events(record)[-1].before == {"status": "waiting", "price": "10.00"}


def test_a_data_only_restore_of_the_records_is_told_by_reconcile() -> None:
    """As ``pg_restore --data-only --disable-triggers`` does it: the log knows more than the tables."""
    kept, changed, new = delivery(), delivery(), delivery()
    backup = [kept, changed]
    set_status(changed.pk, "moving")
    with unseen():
        execute("DELETE FROM deliveries_delivery")
        Delivery.objects.bulk_create(backup)
    assert "3 looked at, 2 differed" in reconcile()
    assert story(kept) == [(1, "waiting")]
    assert story(changed) == [(1, "waiting"), (2, "moving"), (3, "waiting")]
    assert story(new) == [(1, "waiting"), (2, "gone")]
    assert "2 looked at, 0 differed" in reconcile("--check")


def test_a_restore_of_everything_goes_on_from_its_own_versions_in_another_epoch() -> None:
    """What clients saw since is of a history that is no more; versions are given a second time, under a new epoch."""
    record = delivery()
    log.settle(limit=10)
    streams, told, before = list(Stream.objects.all()), list(Event.objects.all()), log.epoch()
    set_status(record.pk, "moving")
    set_status(record.pk, "lost")
    with unseen():
        for model, rows in ((Delivery, [record]), (Stream, streams), (Event, told)):
            execute(f"DELETE FROM {model._meta.db_table}")
            model._base_manager.bulk_create(rows)  # type: ignore[arg-type]
    call_command("realtime_rotate_epoch", "--yes", stdout=StringIO())
    assert log.epoch() != before
    assert "0 differed" in reconcile("--check")
    set_status(record.pk, "there")
    assert story(record) == [(1, "waiting"), (2, "there")]
    assert log.differing(DeliveryFeed, [record.pk]) == []
