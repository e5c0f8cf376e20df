"""A stored mark that looks like the transaction's own does not swallow a change."""

import pytest
from django.db import connection, transaction

from realtime import log
from realtime.models import Event, Stream
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.people import delivery, set_status, story, triggers

pytestmark = [pytest.mark.django_db(transaction=True), triggers]

OWN = "pg_current_xact_id() || '@' || extract(epoch FROM now())"
NUMBER = "pg_current_xact_id()::text"
OF_ANOTHER_TIME = "pg_current_xact_id() || '@' || extract(epoch FROM now() - interval '1 day')"


@pytest.fixture(autouse=True)
def no_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settle by hand."""
    monkeypatch.setattr("realtime.relay.wake", lambda: None)


def forge(key: object, mark: str) -> None:
    """Write into the stream that this very transaction wrote its newest version."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE realtime_stream SET transaction = {mark} WHERE topic = %s", [DeliveryFeed.topic(key)])


@pytest.mark.parametrize("mark", [NUMBER, OF_ANOTHER_TIME], ids=["number", "number and time"])
@pytest.mark.parametrize("is_settled", [True, False], ids=["settled", "unsettled"])
def test_a_restored_database_that_counts_transactions_again_loses_no_change(is_settled: bool, mark: str) -> None:
    record = delivery()
    if is_settled:
        log.settle(limit=10)
    with transaction.atomic():
        forge(record.pk, mark)
        set_status(record.pk, "moving")
    assert story(record) == [(1, "waiting"), (2, "moving")]


def test_a_settled_event_is_never_rewritten_whatever_the_mark_says() -> None:
    record = delivery()
    log.settle(limit=10)
    with transaction.atomic():
        forge(record.pk, OWN)
        set_status(record.pk, "moving")
    assert story(record) == [(1, "waiting"), (2, "moving")]
    assert Event.objects.get(version=1).pos == 1
    assert Stream.objects.get(topic=DeliveryFeed.topic(record.pk)).version == 2


def test_a_mark_of_an_event_that_is_gone_loses_no_change() -> None:
    record = delivery()
    Event.objects.all().delete()
    with transaction.atomic():
        forge(record.pk, OWN)
        set_status(record.pk, "moving")
    assert story(record) == [(2, "moving")]
