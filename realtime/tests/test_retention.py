"""What retention takes and what it leaves; a resume below what is left gets the state."""

import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from realtime import log, relay, retention
from realtime.models import Event
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, events

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def settle(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Settle by hand."""
    relay.rest(60)
    monkeypatch.setattr("realtime.relay.wake", lambda: None)

    def by_hand() -> None:
        while log.settle(limit=100)[1]:
            continue

    return by_hand


def moved(times: int) -> Delivery:
    record = delivery()
    for number in range(times):
        record.status = f"stop {number}"
        record.save()
    return record


def kept(record: Delivery) -> list[int]:
    return [event.version for event in events(record)]


def older(record: Delivery, days: int, *versions: int) -> None:
    at = timezone.now() - timedelta(days=days)
    Event.objects.filter(topic=DeliveryFeed.topic(record.pk), version__in=versions).update(at=at)


def pruned(*arguments: str) -> str:
    said = io.StringIO()
    call_command("realtime_prune", *arguments, stdout=said)
    return said.getvalue()


def test_old_versions_go_and_the_newest_of_each_record_stays(settle: Callable[[], None]) -> None:
    first, second = moved(4), moved(1)
    older(first, 100, 1, 2, 3)
    older(second, 100, 1, 2)
    settle()
    assert pruned("--older-than", "90d") == "4 events are gone.\n"
    assert (kept(first), kept(second)) == ([4, 5], [2])
    assert pruned("--older-than", "90d") == "0 events are gone.\n"


def test_nothing_unsettled_goes(settle: Callable[[], None]) -> None:
    record = moved(2)
    settle()
    record.status = "unsettled"
    record.save()
    record.status = "unsettled too"
    record.save()
    older(record, 100, 1, 2, 3, 4, 5)
    pruned("--older-than", "90d")
    assert kept(record) == [4, 5]
    assert [event.pos for event in events(record)] == [None, None]
    settle()
    pruned("--older-than", "90d")
    assert kept(record) == [5]


def test_so_many_of_each_record_stay_as_are_asked_for(settle: Callable[[], None]) -> None:
    record = moved(5)
    older(record, 100, 1, 2, 3, 4, 5, 6)
    settle()
    pruned("--older-than", "90d", "--keep-last", "4")
    assert kept(record) == [3, 4, 5, 6]


def test_a_dry_run_counts_and_removes_nothing(settle: Callable[[], None]) -> None:
    record = moved(3)
    older(record, 100, 1, 2, 3, 4)
    settle()
    assert pruned("--older-than", "90d", "--dry-run") == "3 events would go.\n"
    assert kept(record) == [1, 2, 3, 4]


def test_stopped_between_two_batches_the_end_of_each_record_is_left(settle: Callable[[], None]) -> None:
    record = moved(6)
    older(record, 100, *range(1, 8))
    settle()
    batches = retention.prune(before=timezone.now() - timedelta(days=90), batch=2)
    assert next(batches) == 2
    batches.close()
    assert kept(record) == [3, 4, 5, 6, 7]
    assert pruned("--older-than", "90d", "--batch", "2") == "4 events are gone.\n"
    assert kept(record) == [7]


def test_a_resume_below_what_is_left_gets_the_newest_state_alone(settle: Callable[[], None]) -> None:
    record = moved(5)
    topic = DeliveryFeed.topic(record.pk)
    older(record, 100, 1, 2, 3)
    settle()
    pruned("--older-than", "90d")
    assert [update.version for update in log.missed({topic: 3}, limit=10)[topic]] == [4, 5, 6]
    for held in (0, 1, 2):
        (update,) = log.missed({topic: held}, limit=10)[topic]
        assert (update.version, (update.state or {})["status"]) == (6, "stop 4")


def test_a_deleted_record_keeps_its_deletion(settle: Callable[[], None]) -> None:
    record = moved(1)
    topic = DeliveryFeed.topic(record.pk)
    record.delete()
    Event.objects.filter(topic=topic).update(at=timezone.now() - timedelta(days=100))
    settle()
    pruned("--older-than", "90d")
    assert list(Event.objects.filter(topic=topic).values_list("version", "state")) == [(3, None)]


@pytest.mark.parametrize("text", ["0d", "-1d", "90", "d", "1e3d", "٣d", "90m"])
def test_an_age_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="such as 90d"):
        pruned(f"--older-than={text}")
