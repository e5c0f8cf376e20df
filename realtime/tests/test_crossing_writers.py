"""Writers who cross: no deadlock that bare tables would not have, and of a victim's work nothing is told."""

import threading
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from threading import Barrier

import pytest
from django.db import OperationalError, connection, transaction

from realtime import log
from realtime.models import Event, Stream
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery, Toll
from realtime.tests.people import delivery, set_status, story, triggers, waits_for_a_lock
from tests.threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True), triggers]

ROUNDS = 30


def in_key_order(records: list[Delivery]) -> list[Delivery]:
    return sorted(records, key=lambda record: record.pk)


def pays(records: list[Delivery]) -> None:
    """Post a toll to each, in this order, in one transaction; time and again."""
    for _ in range(ROUNDS):
        with transaction.atomic():
            for record in records:
                Toll.objects.create(delivery=record, amount=Decimal("1"))


def locks_and_moves(records: list[Delivery], name: str, *, no_key: bool = True) -> None:
    """Lock the records first, as services do, and change them."""
    keys = [record.pk for record in records]
    for number in range(ROUNDS):
        with transaction.atomic():
            for found in Delivery.objects.select_for_update(no_key=no_key).filter(pk__in=keys).order_by("pk"):
                found.status = f"{name} {number}"
                found.save()


def dense_and_true(records: list[Delivery]) -> None:
    for record in records:
        versions = [version for version, _ in story(record)]
        assert versions == list(range(1, len(versions) + 1))
    assert log.differing(DeliveryFeed, [record.pk for record in records]) == []


def test_parts_of_two_records_written_in_opposite_order_do_not_deadlock() -> None:
    one, two = in_key_order([delivery(), delivery()])
    at_once([partial(pays, [one, two]), partial(pays, [two, one])] * 2)
    dense_and_true([one, two])
    assert Toll.objects.count() == 2 * 4 * ROUNDS


def test_a_part_beside_its_locked_record_does_not_deadlock() -> None:
    """A part's foreign key is checked at COMMIT, and shares the record's row then."""
    one, two = in_key_order([delivery(), delivery()])
    at_once(
        [
            partial(pays, [one, two]),
            partial(pays, [two, one]),
            partial(locks_and_moves, [one, two], "a"),
            partial(locks_and_moves, [one, two], "b"),
        ]
    )
    dense_and_true([one, two])


def test_nor_does_it_beside_the_strongest_lock() -> None:
    """Who locks a row FOR UPDATE wants the stream next; the capture must not hold that and want the row.

    In key order all of them: shared in another one, the rows alone would deadlock, with no trigger on them.
    """
    one, two = in_key_order([delivery(), delivery()])
    at_once(
        [
            partial(pays, [one, two]),
            partial(pays, [one]),
            partial(locks_and_moves, [one, two], "a", no_key=False),
            partial(locks_and_moves, [two], "b", no_key=False),
        ]
    )
    dense_and_true([one, two])


def test_statements_on_many_rows_at_once_do_not_deadlock() -> None:
    records = in_key_order([delivery() for _ in range(6)])

    def tolls(turn: int) -> None:
        for _ in range(ROUNDS):
            Toll.objects.bulk_create([Toll(delivery=record, amount=Decimal("2")) for record in records[::turn]])

    at_once([partial(tolls, 1), partial(tolls, -1), partial(locks_and_moves, records, "a")])
    dense_and_true(records)


def beside_a_writer(records: list[Delivery], holds: Callable[[], object], then: Callable[[], object]) -> None:
    """Do ``holds`` and ``then`` in one transaction; between them somebody writes all the records and has to wait."""
    held = threading.Event()

    def holder() -> None:
        with transaction.atomic():
            holds()
            held.set()
            waits_for_a_lock()
            then()

    def writer() -> None:
        assert held.wait(30)
        Toll.objects.bulk_create([Toll(delivery=record, amount=Decimal("3")) for record in records[::-1]])

    at_once([holder, writer])


def test_streams_are_locked_in_the_order_of_topics() -> None:
    records = in_key_order([delivery() for _ in range(8)])
    topics = [DeliveryFeed.topic(record.pk) for record in records]
    free: list[str] = []
    beside_a_writer(
        records,
        lambda: Stream.objects.select_for_update().get(topic=topics[0]),
        lambda: free.extend(stream.topic for stream in Stream.objects.select_for_update(skip_locked=True)),
    )
    assert sorted(free) == topics, "who waits for the first has none of the others"
    dense_and_true(records)


def test_streams_are_made_in_the_order_of_topics() -> None:
    """At the first change of older records, and for their first viewers; made crosswise it would be a deadlock."""
    records = in_key_order([delivery() for _ in range(8)])
    keys = [record.pk for record in records]
    Stream.objects.all().delete()
    Event.objects.all().delete()
    beside_a_writer(records, lambda: log.begin(DeliveryFeed, keys[:1]), lambda: log.begin(DeliveryFeed, keys[1:]))
    assert Stream.objects.filter(version=1).count() == len(records)
    dense_and_true(records)


def crossed(first: Delivery, second: Delivery, name: str, met: Barrier) -> Callable[[], None]:
    """Write one record, wait until the other writer has written his, and want that one: bare tables deadlock so."""

    def write() -> None:
        with transaction.atomic():
            set_status(first.pk, name)
            met.wait()
            set_status(second.pk, name)

    return write


def test_the_victim_of_a_deadlock_gets_a_clean_error_and_the_other_is_told_whole() -> None:
    one, two = delivery(), delivery()
    met = Barrier(2, timeout=30)
    errors: list[OperationalError] = []

    def tries(write: Callable[[], None]) -> None:
        try:
            write()
        except OperationalError as error:
            errors.append(error)

    works = [crossed(one, two, "a", met), crossed(two, one, "b", met)]
    at_once([partial(tries, work) for work in works])
    (error,) = errors
    assert getattr(error.__cause__, "sqlstate", "") == "40P01"
    winner = Delivery.objects.get(pk=one.pk).status
    assert story(one) == story(two) == [(1, "waiting"), (2, winner)]
    loser = ({"a", "b"} - {winner}).pop()
    assert not Event.objects.filter(state__status=loser).exists()
    set_status(one.pk, loser)
    assert story(one)[-1] == (3, loser)
    dense_and_true([one, two])
    assert connection.is_usable()
