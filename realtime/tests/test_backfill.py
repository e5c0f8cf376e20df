"""``realtime_backfill``: records that are older than the log get their first state, and no event."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from realtime import log, survey
from realtime.capture import orm
from realtime.models import Event, Stream
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, set_status, story, stream
from tests.threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]


def backfill(*arguments: str) -> tuple[str, str]:
    """Return what the command prints as its result, and as its progress."""
    said, progress = StringIO(), StringIO()
    call_command("realtime_backfill", "--feed", "delivery", *arguments, stdout=said, stderr=progress)
    return said.getvalue(), progress.getvalue()


def older_than_the_log(number: int) -> list[Delivery]:
    records = [delivery() for _ in range(number)]
    Stream.objects.all().delete()
    Event.objects.all().delete()
    return records


def test_each_record_gets_its_state_as_version_0() -> None:
    old = older_than_the_log(5)
    told = delivery(status="moving")
    assert survey.without_stream(DeliveryFeed, batch=2) == 5
    said, progress = backfill("--batch", "2")
    assert "6 looked at, 5 begun" in said
    assert progress.count("looked at") == 3
    for record in old:
        assert ((stream(record).version), (stream(record).state or {})["status"]) == (0, "waiting")
        assert story(record) == []
    assert story(told) == [(1, "moving")]
    old[0].status = "moving"
    old[0].save()
    assert story(old[0]) == [(1, "moving")]
    assert stream(old[0]).changed == ["status"]


def test_broken_off_it_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    older_than_the_log(6)
    begin, calls = log.begin, 0

    def dies(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return begin(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(log, "begin", dies)
    with pytest.raises(KeyboardInterrupt):
        backfill("--batch", "2")
    assert Stream.objects.count() == 2, "what was done stays"
    monkeypatch.undo()
    assert "6 looked at, 4 begun" in backfill("--batch", "2")[0]
    assert "6 looked at, 0 begun" in backfill()[0]


def test_a_record_that_is_written_meanwhile_keeps_what_its_writer_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the command's look at the row and its insert."""
    (record,) = older_than_the_log(1)
    read = orm.read

    def slow(*arguments: object, **options: object) -> object:
        monkeypatch.undo()
        found = read(*arguments, **options)  # type: ignore[arg-type]
        record.status = "moving"
        record.save()
        return found

    monkeypatch.setattr(orm, "read", slow)
    backfill()
    assert story(record) == [(1, "moving")]
    assert (stream(record).state or {})["status"] == "moving"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_it_is_harmless_beside_writers_and_beside_itself() -> None:
    records = older_than_the_log(12)

    def writer(turn: int) -> None:
        for record in records[::turn]:
            set_status(record.pk, f"by {turn}")

    def operator(batch: str) -> None:
        backfill("--batch", batch)

    at_once([lambda: writer(1), lambda: writer(-1), lambda: operator("3"), lambda: operator("5")])
    for record in records:
        versions = [version for version, _ in story(record)]
        assert versions == list(range(1, len(versions) + 1))
    assert log.differing(DeliveryFeed, [record.pk for record in records]) == []
