"""A person who is erased is nowhere in the log; everything else is as it was."""

import io
import json
import threading
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connections

from realtime import log
from realtime.actor import acting, of_user
from realtime.erasure import ERASED
from realtime.models import Event, Stream
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, events, stream, user

pytestmark = pytest.mark.django_db(transaction=True)


def erased(key: Any, *arguments: str) -> str:
    said = io.StringIO()
    call_command("realtime_erase", "--user", str(key), *arguments, stdout=said)
    return said.getvalue()


def whole_log() -> str:
    events = Event.objects.order_by("id").values("version", "state", "before", "actor", "context", "at")
    return json.dumps([*events, *Stream.objects.order_by("topic").values()], default=str)


def shape(record: Delivery) -> list[Any]:
    """Return of each event what erasure leaves alone: version, time, which fields there are and which changed."""
    return [(event.version, event.at, sorted(event.state or {}), log.changed(event)) for event in events(record)]


def story_of(name: str) -> Delivery:
    """A delivery that its courier ``name`` gets, loses, and gets again; another one has it between."""
    first, second = user(name), user("the-other-courier")
    record = delivery(courier=first)
    for courier, status in ((first, "packed"), (second, "moving"), (first, "there")):
        record.courier, record.status = courier, status
        with acting(
            of_user(courier.pk), source="http", request=f"r-{courier.pk}", reason=f"{courier.username} said so"
        ):
            record.save()
    return record


def test_the_person_is_nowhere_in_the_log_and_the_rest_is_as_it_was() -> None:
    record = story_of("zelda-the-courier")
    before = shape(record)
    key = record.courier_id
    assert erased(key, "--yes") == "Rewritten: 4 events, records: 1.\n"
    assert "zelda-the-courier" not in whole_log()
    assert of_user(key) not in whole_log()
    assert f"r-{key}" not in whole_log()
    assert shape(record) == before
    assert [(event.state or {})["courier_name"] for event in events(record)] == [
        ERASED,
        ERASED,
        "the-other-courier",
        ERASED,
    ]
    assert [(event.before or {}).get("courier_name") for event in events(record)] == [
        None,
        None,
        ERASED,
        "the-other-courier",
    ]
    assert [event.actor == ERASED for event in events(record)] == [False, True, False, True]
    assert (stream(record).state or {})["courier_name"] == ERASED
    assert (stream(record).state or {})["status"] == "there"


def test_the_person_is_gone_from_the_history_of_a_deleted_record_too() -> None:
    record = story_of("zelda-the-courier")
    key = record.courier_id
    record.delete()
    erased(key, "--yes")
    assert "zelda-the-courier" not in whole_log()
    assert Event.objects.count() == 5


def test_without_yes_nothing_is_erased() -> None:
    record = story_of("zelda-the-courier")
    before = whole_log()
    assert "person: 1. --yes" in erased(record.courier_id)
    assert whole_log() == before


def test_done_twice_it_finds_nothing() -> None:
    record = story_of("zelda-the-courier")
    erased(record.courier_id, "--yes")
    before = whole_log()
    assert erased(record.courier_id, "--yes") == "Rewritten: 0 events, records: 0.\n"
    assert whole_log() == before


def test_what_is_empty_stays_empty() -> None:
    record = delivery(courier=user("zelda-the-courier"))
    Event.objects.update(state={**(events(record)[0].state or {}), "courier_name": ""})
    erased(record.courier_id, "--yes")
    assert (events(record)[0].state or {})["courier_name"] == ""


def test_the_next_change_writes_what_the_live_rows_say_then() -> None:
    record = story_of("zelda-the-courier")
    erased(record.courier_id, "--yes")
    get_user_model().objects.filter(username="zelda-the-courier").update(username="gone")
    record.status = "back"
    record.save()
    renamed = next(event for event in events(record) if (event.state or {})["courier_name"] == "gone")
    assert (renamed.before or {})["courier_name"] == ERASED
    assert "zelda-the-courier" not in whole_log()


def test_what_is_no_key_of_a_user_is_refused() -> None:
    with pytest.raises(CommandError, match="no key"):
        erased("zelda")


def test_writers_and_relays_go_on_meanwhile() -> None:
    record = story_of("zelda-the-courier")
    key, failed = record.courier_id, []
    done = threading.Event()

    def work(step: Any) -> None:
        try:
            while not done.is_set():
                step()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the test's
            failed.append(error)
        finally:
            connections.close_all()

    def write() -> None:
        mine = Delivery.objects.get(pk=record.pk)
        mine.status = f"stop {mine.status[-3:]}{threading.get_ident() % 7}"[:20]
        mine.save()

    threads = [threading.Thread(target=work, args=[step]) for step in (write, write, lambda: log.settle(limit=5))]
    for thread in threads:
        thread.start()
    for _ in range(5):
        erased(key, "--yes")
    done.set()
    for thread in threads:
        thread.join(60)
    assert failed == []
    versions = [event.version for event in events(record)]
    assert versions == list(range(1, len(versions) + 1))
