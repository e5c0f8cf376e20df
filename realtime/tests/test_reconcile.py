"""``realtime_reconcile``: what nothing captured becomes an event, once, beside writers that go on."""

from decimal import Decimal
from io import StringIO
from itertools import pairwise
from threading import Barrier, Event
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from realtime import log
from realtime.models import Stream
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery, Route, Toll
from realtime.tests.people import delivery, events, set_status, story, stream, unseen, waits_for_a_lock
from tests.threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]


def reconcile(*arguments: str, **options: Any) -> str:
    """Return what the command prints."""
    said = StringIO()
    call_command("realtime_reconcile", *arguments, stdout=said, **options)
    return said.getvalue()


def moved_unseen(record: Delivery, status: str = "moving") -> None:
    with unseen():
        Delivery.objects.filter(pk=record.pk).update(status=status)


def test_a_change_that_nothing_captured_becomes_an_event() -> None:
    record, other = delivery(), delivery()
    moved_unseen(record)
    assert story(record) == [(1, "waiting")]
    assert "delivery: 2 looked at, 1 differed" in reconcile("--feed", "delivery")
    assert story(record) == [(1, "waiting"), (2, "moving")]
    event = events(record)[-1]
    assert (event.actor, event.context["source"]) == ("command:realtime_reconcile", "reconcile")
    assert event.before == {"status": "waiting"}
    assert story(other) == [(1, "waiting")]
    assert "2 looked at, 0 told" in reconcile("--feed", "delivery"), "nothing is told twice"


def test_parts_are_compared_as_well() -> None:
    record = delivery()
    with unseen():
        Route.objects.bulk_create([Route(delivery=record, town="Ulm")])
        Toll.objects.bulk_create([Toll(delivery=record, amount=Decimal("1.50"))])
    reconcile()
    state = stream(record).state or {}
    assert (state["town"], state["last_toll"]["amount"]) == ("Ulm", "1.50")


def test_a_record_that_went_unseen_ends_and_one_that_came_unseen_begins() -> None:
    gone, new = delivery(), delivery()
    with unseen():
        Delivery.objects.filter(pk=gone.pk)._raw_delete("default")
        Stream.objects.filter(topic=DeliveryFeed.topic(new.pk)).delete()
        Delivery.objects.filter(pk=new.pk).update(status="new")
        for event in events(new):
            event.delete()
    assert "2 looked at, 2 differed" in reconcile("--feed", "delivery")
    assert story(gone) == [(1, "waiting"), (2, "gone")]
    assert story(new) == [(1, "new")]
    assert "1 looked at, 0 differed" in reconcile("--feed", "delivery"), "what is gone is told once"


def test_a_dry_run_counts_and_writes_nothing() -> None:
    record = delivery()
    moved_unseen(record)
    before = stream(record)
    assert "1 would be told" in reconcile("--feed", "delivery", "--dry-run")
    assert story(record) == [(1, "waiting")]
    assert (stream(record).version, stream(record).state) == (before.version, before.state)


def test_check_says_by_its_exit_code_that_there_was_a_difference() -> None:
    record = delivery()
    reconcile("--check")
    moved_unseen(record)
    with pytest.raises(SystemExit) as ended:
        reconcile("--check", "--dry-run")
    assert ended.value.code == 1
    with pytest.raises(SystemExit):
        reconcile("--check")
    reconcile("--check")


def test_keys_choose_records() -> None:
    one, other = delivery(), delivery()
    moved_unseen(one)
    moved_unseen(other)
    assert "1 looked at, 1 told" in reconcile("--feed", "delivery", "--key", str(one.pk))
    assert (story(one)[-1], story(other)[-1]) == ((2, "moving"), (1, "waiting"))
    for wrong, words in ((["--key", "1"], "needs --feed"), (["--feed", "parcel"], "registered: ")):
        with pytest.raises(CommandError, match=words):
            reconcile(*wrong)
    with pytest.raises(CommandError, match="is no key of delivery"):
        reconcile("--feed", "delivery", "--key", "01")


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_every_record_is_looked_at_once_whatever_the_batch(batch: int) -> None:
    records = [delivery() for _ in range(5)]
    for record in records[:4]:
        moved_unseen(record)
    with unseen():
        Delivery.objects.filter(pk__in=[records[0].pk, records[1].pk])._raw_delete("default")
    assert "5 looked at, 4 differed" in reconcile("--feed", "delivery", "--batch", str(batch))
    assert [len(events(record)) for record in records] == [2, 2, 2, 2, 1]


def test_a_batch_costs_few_statements_however_many_records() -> None:
    for _ in range(30):
        delivery()
    with CaptureQueriesContext(connection) as few:
        reconcile("--feed", "delivery")
    assert len(few) < 12


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_writer_who_is_about_to_commit_tells_it_himself() -> None:
    """He holds the row, uncaptured so far; the command neither waits for him nor tells what he may take back."""
    record = delivery()
    written, compared = Event(), Event()

    def writer() -> None:
        with transaction.atomic():
            Delivery.objects.filter(pk=record.pk).update(status="moving")
            written.set()
            assert compared.wait(30)

    def operator() -> None:
        assert written.wait(30)
        reconcile("--feed", "delivery")
        compared.set()

    at_once([writer, operator])
    assert story(record) == [(1, "waiting"), (2, "moving")]
    assert events(record)[-1].context["source"] == "sql"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_stream_that_a_writer_holds_is_waited_for() -> None:
    """He ends without a word, and what differed before him is told all the same."""
    record = delivery()
    moved_unseen(record)
    held = Event()

    def writer() -> None:
        with transaction.atomic():
            Stream.objects.select_for_update().get(topic=DeliveryFeed.topic(record.pk))
            held.set()
            waits_for_a_lock()
            transaction.set_rollback(True)

    def operator() -> None:
        assert held.wait(30)
        reconcile("--feed", "delivery")

    at_once([writer, operator])
    assert story(record) == [(1, "waiting"), (2, "moving")]


def test_beside_writers_nothing_is_lost_and_nothing_told_twice() -> None:
    records = [delivery() for _ in range(4)]
    start = Barrier(3, timeout=30)

    def writer(name: str) -> None:
        start.wait()
        for number in range(15):
            for record in records:
                set_status(record.pk, f"{name} {number}")

    def operator() -> None:
        start.wait()
        for _ in range(5):
            reconcile("--feed", "delivery", "--batch", "2")

    at_once([lambda: writer("one"), lambda: writer("two"), operator])
    for record in records:
        told = story(record)
        assert [version for version, _ in told] == list(range(1, len(told) + 1))
        assert all(before != after for (_, before), (_, after) in pairwise(told))
    assert log.differing(DeliveryFeed, [record.pk for record in records]) == []
