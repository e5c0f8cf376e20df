"""What the log answers: heads, states from one row, and every missed version or the newest alone."""

import threading

import pytest

from realtime import log
from realtime.models import Event, Stream
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.people import delivery, events, stream
from tests.threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]


@pytest.fixture(autouse=True)
def no_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settle by hand."""
    monkeypatch.setattr("realtime.relay.wake", lambda: None)


def moved(times: int) -> tuple[str, list[int]]:
    """Return the topic of a delivery that was changed ``times`` times, and its versions."""
    record = delivery()
    for number in range(times):
        record.status = f"stop {number}"
        record.save()
    return DeliveryFeed.topic(record.pk), [event.version for event in events(record)]


def test_missed_versions_come_one_by_one_or_as_the_newest_alone() -> None:
    topic, _ = moved(5)
    found = log.missed({topic: 2}, limit=10)[topic]
    assert [update.version for update in found] == [3, 4, 5, 6]
    assert [update.version for update in log.missed({topic: 2}, limit=3)[topic]] == [6], "too many: never a part"
    Event.objects.filter(version=4).delete()
    assert [update.version for update in log.missed({topic: 2}, limit=10)[topic]] == [6], "trimmed: never a part"
    assert log.missed({topic: 6}, limit=10) == {topic: []}


def test_a_record_that_was_never_written_since_installation_is_version_0() -> None:
    record = delivery()
    Stream.objects.all().delete()
    Event.objects.all().delete()
    topic = DeliveryFeed.topic(record.pk)
    update = log.states([topic])[topic]
    assert (update.version, (update.state or {})["status"]) == (0, "waiting")
    record.status = "moving"
    record.save()
    assert (stream(record).version, stream(record).changed) == (1, ["status"])


def test_what_does_not_exist_has_no_state_and_leaves_no_row() -> None:
    gone = delivery()
    topic = DeliveryFeed.topic(gone.pk)
    gone.delete()
    never = DeliveryFeed.topic("7d444840-9dc0-11d1-b245-5ffdce74fad2")
    assert log.states([topic, never]) == {}
    assert list(Stream.objects.values_list("topic", flat=True)) == [topic]


def test_positions_are_contiguous_in_the_order_of_versions() -> None:
    moved(3)
    moved(2)
    settled = []
    while True:
        epoch, updates = log.settle(limit=2)
        settled += updates
        if not updates:
            break
        assert epoch == log.epoch()
    assert [update.pos for update in settled] == list(range(1, 8))
    by_topic: dict[str, list[int]] = {}
    for update in settled:
        by_topic.setdefault(update.topic, []).append(update.version)
    assert all(versions == sorted(versions) for versions in by_topic.values())


def test_two_relays_at_once_settle_each_event_once() -> None:
    for _ in range(4):
        moved(10)
    settled: list[int | None] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        while updates := log.settle(limit=3)[1]:
            settled.extend(update.pos for update in updates)

    at_once([work] * 4)
    assert sorted(pos or 0 for pos in settled) == list(range(1, 45))
