"""The history of a record: strangers first, then what each viewer reads of each version."""

from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from realtime import history
from realtime.actor import acting, of_user
from realtime.exceptions import Trimmed
from realtime.feeds import Viewer
from realtime.history import Wanted
from realtime.models import Event, Stream
from realtime.signals import because
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user

pytestmark = pytest.mark.django_db(transaction=True)


class RollBack(Exception):
    """Ends a savepoint."""


AUDITOR = Viewer(0, "auditor")


def topic(record: Delivery) -> str:
    return DeliveryFeed.topic(record.pk)


def change(record: Delivery, **values: Any) -> None:
    for name, value in values.items():
        setattr(record, name, value)
    record.save()


def read(record: Delivery, viewer: Viewer, **wanted: Any) -> list[history.Entry]:
    found = history.timeline(topic(record), viewer, wanted=Wanted(**wanted), limit=history.MOST)
    assert found is not None
    return found.entries


def versions(record: Delivery, viewer: Viewer, **wanted: Any) -> list[int]:
    return [entry.version for entry in read(record, viewer, **wanted)]


def told(entry: history.Entry) -> dict[str, tuple[Any, Any]]:
    return {change.field: (change.before, change.after) for change in entry.changes}


def sender(record: Delivery) -> Viewer:
    return Viewer(record.sender_id)


def courier(record: Delivery) -> Viewer:
    return Viewer(record.courier_id)


def test_a_stranger_reads_nothing_of_what_is_there_and_of_what_is_not() -> None:
    record = delivery()
    missing = DeliveryFeed.topic("7d444840-9dc0-11d1-b245-5ffdce74fad2")
    for place in (topic(record), missing):
        assert history.timeline(place, Viewer(user().pk)) is None
        assert history.state_as_of(place, 1, Viewer(user().pk)) is None
    assert history.timeline(missing, AUDITOR) is None
    assert history.choices(topic(record), sender(record)) == history.Choices([], [])


def test_each_viewer_reads_the_values_that_are_his() -> None:
    record = delivery()
    change(record, price="12.50", status="moving")
    assert told(read(record, AUDITOR)[0]) == {"status": ("waiting", "moving"), "price": ("10.00", "12.50")}
    assert told(read(record, courier(record))[0]) == {"status": ("waiting", "moving")}
    assert "sender_id" not in told(read(record, AUDITOR)[1]), "a gate that is no field is never shown"


def test_a_version_that_changed_nothing_for_the_viewer_is_there_and_says_nothing() -> None:
    record = delivery()
    change(record, price="12.50")
    assert told(read(record, courier(record))[0]) == {}
    assert versions(record, courier(record)) == [2, 1]


def test_who_acted_and_why_is_for_auditors_and_for_himself() -> None:
    record = delivery()
    with acting(of_user(record.sender_id), source="http", request="r-7"), transaction.atomic():
        because("He asked for it.")
        change(record, status="moving")
    seen = read(record, AUDITOR)[0]
    assert (seen.actor, seen.source, seen.request) == (of_user(record.sender_id), "http", "r-7")
    assert seen.reason == "He asked for it."
    own = read(record, sender(record))[0]
    assert (own.actor, own.source, own.request, own.reason, own.role) == (of_user(record.sender_id), "", "", "", "")
    assert read(record, courier(record))[0].actor == ""


def test_a_reason_belongs_to_its_transaction_and_goes_with_its_savepoint() -> None:
    record = delivery()
    with transaction.atomic():
        because("The first.")
        change(record, status="one")
    with transaction.atomic():
        because("The outer.")
        with suppress(RollBack), transaction.atomic():
            because("The inner.")
            raise RollBack
        change(record, status="two")
    change(record, status="three")
    assert [entry.reason for entry in read(record, AUDITOR)] == ["", "The outer.", "The first.", ""]


def test_a_courier_reads_the_versions_that_were_his_and_nothing_from_before() -> None:
    record = delivery()
    second, first, name = user(), record.courier_id, record.courier.username  # type: ignore[union-attr]
    change(record, status="his first stop")
    change(record, courier=second, status="not his")
    change(record, status="not his either")
    change(record, courier_id=first, status="his again")
    change(record, status="his last stop")
    mine, his = Viewer(first), Viewer(second.pk)
    assert versions(record, AUDITOR) == [6, 5, 4, 3, 2, 1]
    assert history.timeline(topic(record), his) is None, "it is not his any more"
    assert versions(record, mine) == [6, 5, 2, 1]
    given = next(entry for entry in read(record, mine) if entry.version == 5)
    assert told(given)["status"] == (None, "his again")
    assert told(given)["courier_name"] == (None, name)
    assert not any(change.was_seen for change in given.changes)
    assert [history.state_as_of(topic(record), version, mine) is None for version in (2, 3, 4, 5)] == [
        False,
        True,
        True,
        False,
    ]


def test_filters_narrow_what_is_read() -> None:
    record = delivery()
    with acting("user:77", source="http"):
        change(record, price="11.00")
    noon = timezone.now()
    with acting("command:nightly", source="command"):
        change(record, price="12.00", status="moving")
    assert versions(record, AUDITOR, field="price") == [3, 2, 1]
    assert versions(record, AUDITOR, field="status") == [3, 1]
    assert versions(record, AUDITOR, actor="user:77") == [2]
    assert versions(record, AUDITOR, source="command") == [3]
    assert versions(record, AUDITOR, since=noon) == [3]
    assert versions(record, AUDITOR, until=noon) == [2, 1]
    assert versions(record, AUDITOR, first=2, last=2) == [2]
    found = history.choices(topic(record), AUDITOR)
    assert {"user:77", "command:nightly"} <= set(found.actors)
    assert {"http", "command"} <= set(found.sources)


def test_a_filter_is_no_way_to_ask_for_what_is_hidden() -> None:
    record = delivery()
    with acting("user:77", source="http"):
        change(record, price="11.00", status="moving")
    assert versions(record, courier(record), field="price") == []
    assert versions(record, courier(record), field="sender_id") == []
    assert versions(record, courier(record), actor="user:77") == []
    assert versions(record, courier(record), source="http") == []
    assert versions(record, AUDITOR, field="sender_id") == []


def test_pages_follow_each_other_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST", 3)
    record = delivery()
    for number in range(7):
        change(record, status=f"stop {number}")
    found, below = [], None
    while True:
        page = history.timeline(topic(record), AUDITOR, below=below, limit=3)
        assert page is not None
        assert len(page.entries) <= 3
        found += [entry.version for entry in page.entries]
        change(record, status=f"meanwhile {len(found)}")
        below = page.older
        if below is None:
            break
    assert found == [8, 7, 6, 5, 4, 3, 2, 1]


def test_the_state_as_of_a_version_is_whole_and_masked_by_the_audience_of_then() -> None:
    record = delivery()
    change(record, price="12.50")
    change(record, price="15.00")
    found = history.state_as_of(topic(record), 2, AUDITOR)
    assert found is not None
    update, audience = found
    assert (update.version, audience) == (2, "auditor")
    assert update.state == Event.objects.get(version=2).state
    assert (update.state or {})["price"] == "12.50"
    assert history.state_as_of(topic(record), 4, AUDITOR) is None
    assert history.state_as_of(topic(record), 0, AUDITOR) is None


def test_a_version_that_is_trimmed_is_refused_by_name() -> None:
    record = delivery()
    change(record, status="moving")
    Event.objects.filter(version=1).delete()
    with pytest.raises(Trimmed):
        history.state_as_of(topic(record), 1, AUDITOR)
    assert history.state_as_of(topic(record), 1, Viewer(user().pk)) is None
    page = history.timeline(topic(record), AUDITOR)
    assert page is not None
    assert ([entry.version for entry in page.entries], page.floor) == ([2], 2)


def test_the_history_of_a_deleted_record_is_there_for_auditors_only() -> None:
    record = delivery()
    place, parties = topic(record), (sender(record), courier(record))
    with acting("command:clean"):
        record.delete()
    page = history.timeline(place, AUDITOR)
    assert page is not None
    assert [(entry.version, entry.is_deletion) for entry in page.entries] == [(2, True), (1, False)]
    assert page.entries[0].actor == "command:clean"
    assert told(page.entries[0])["status"] == ("waiting", None)
    found = history.state_as_of(place, 2, AUDITOR)
    assert found is not None
    assert found[0].state is None
    for viewer in parties:
        assert history.timeline(place, viewer) is None
        assert history.state_as_of(place, 1, viewer) is None


def test_a_record_that_nothing_has_changed_since_installation_has_an_empty_history() -> None:
    record = delivery()
    Event.objects.all().delete()
    Stream.objects.all().delete()
    page = history.timeline(topic(record), sender(record))
    assert page is not None
    assert (page.entries, page.floor) == ([], None)
    change(record, status="moving")
    assert told(read(record, sender(record))[0]) == {"status": ("waiting", "moving")}
