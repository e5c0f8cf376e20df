"""A slot that shows the newest of many rows: the largest number counts, whoever commits first."""

from decimal import Decimal
from threading import Event

import pytest
from django.db import transaction

from realtime import log
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery, Toll
from realtime.tests.people import delivery, events, stream, triggers
from tests.threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True), triggers]


def pays(record: Delivery, amount: str) -> None:
    Toll.objects.create(delivery=record, amount=Decimal(amount))


def shown(record: Delivery) -> list[str | None]:
    """Return the amounts that the versions of ``record`` showed."""
    tolls = [(event.state or {})["last_toll"] for event in events(record)]
    return [toll and toll["amount"] for toll in tolls]


def test_a_lower_number_that_commits_later_changes_nothing() -> None:
    record = delivery()
    inserted, overtaken = Event(), Event()

    def slow() -> None:
        with transaction.atomic():
            pays(record, "1")
            inserted.set()
            assert overtaken.wait(30)

    def quick() -> None:
        assert inserted.wait(30)
        pays(record, "2")
        overtaken.set()

    at_once([slow, quick])
    assert shown(record) == [None, "2.00"]
    assert Toll.objects.count() == 2
    assert log.differing(DeliveryFeed, [record.pk]) == []


def test_who_locks_the_record_first_is_shown_row_by_row() -> None:
    """As the services do: then the numbers are in the order of the commits, and every row is an event."""
    record = delivery()
    locked = Event()

    def locks(amount: str) -> None:
        with transaction.atomic():
            Delivery.objects.select_for_update(no_key=True).get(pk=record.pk)
            locked.set()
            pays(record, amount)

    def second() -> None:
        assert locked.wait(30)
        locks("2")

    at_once([lambda: locks("1"), second])
    assert shown(record) == [None, "1.00", "2.00"]


def test_the_one_before_shows_again_when_the_newest_goes() -> None:
    record = delivery()
    pays(record, "1")
    pays(record, "2")
    Toll.objects.filter(amount=2).delete()
    assert shown(record) == [None, "1.00", "2.00", "1.00"]
    Toll.objects.filter(amount=1).update(kind="bridge")
    assert shown(record)[-1] is None
    assert (stream(record).state or {})["last_toll"] is None
