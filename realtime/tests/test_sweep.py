"""A related row's change: marked with its writer, told to the open records after the commit, by whoever lives then."""

import threading

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction

from realtime import relay, sweep
from realtime.actor import acting
from realtime.models import Sweep
from realtime.tests.deliveries.models import Delivery, Tag
from realtime.tests.people import delivery, events, stream, user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("capture")]


@pytest.fixture(autouse=True)
def no_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweep by hand."""
    monkeypatch.setattr("realtime.relay.wake", lambda: None)


def sweep_alone() -> None:
    try:
        sweep.sweep()
    finally:
        connections.close_all()


def name_of(record: Delivery) -> object:
    return (stream(record).state or {})["courier_name"]


def test_a_new_name_is_told_to_the_open_records() -> None:
    courier = user("ann")
    open_ones = [delivery(courier=courier), delivery(courier=courier)]
    done, other = delivery(courier=courier, status="done"), delivery()
    with acting("user:7", source="http", request="r1", reason="married"):
        courier.username = "beth"
        courier.save()
    assert [name_of(record) for record in open_ones] == ["ann", "ann"], "not in the writer's transaction"
    assert sweep.sweep() == 2
    assert [name_of(record) for record in open_ones] == ["beth", "beth"]
    assert (name_of(done), len(events(other))) == ("ann", 1)
    event = events(open_ones[0])[-1]
    assert (event.actor, event.before) == ("user:7", {"courier_name": "ann"})
    assert (event.context["source"], event.context["request"], event.context["reason"]) == ("related", "r1", "married")
    assert not Sweep.objects.exists()
    assert sweep.sweep() == 0


def test_columns_that_no_state_shows_mark_nothing() -> None:
    courier = user("ann")
    delivery(courier=courier)
    courier.first_name = "Ann"
    courier.save(update_fields=["first_name"])
    get_user_model().objects.filter(pk=courier.pk).update(first_name="A.")
    assert not Sweep.objects.exists()


def test_an_update_of_many_names() -> None:
    records = [delivery(courier=user(f"name{number}")) for number in range(3)]
    users = get_user_model().objects.filter(username__startswith="name")
    for one in users:
        users.filter(pk=one.pk).update(username=f"new {one.username}")
    sweep.sweep()
    assert [name_of(record) for record in records] == ["new name0", "new name1", "new name2"]


def test_a_rolled_back_name_marks_nothing() -> None:
    courier = user("ann")
    delivery(courier=courier)
    with transaction.atomic():
        courier.username = "beth"
        courier.save()
        transaction.set_rollback(True)
    assert not Sweep.objects.exists()


def test_a_related_row_of_a_list() -> None:
    record = delivery()
    tag = Tag.objects.create(name="red")
    record.tags.add(tag)
    tag.name = "crimson"
    tag.save()
    sweep.sweep()
    assert (stream(record).state or {})["tags"] == ["crimson"]
    tag.delete()
    sweep.sweep()
    assert (stream(record).state or {})["tags"] == []


def test_more_records_than_a_batch_and_a_sweep_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "BATCH", 2)
    courier = user("ann")
    records = [delivery(courier=courier) for _ in range(5)]
    courier.username = "beth"
    courier.save()
    tell, told = sweep._tell, []

    def dies_in_the_second(marked: Sweep, using: str) -> int:
        told.append(tell(marked, using))
        if sum(told) == 4:
            raise RuntimeError("killed")
        return told[-1]

    monkeypatch.setattr(sweep, "_tell", dies_in_the_second)
    with pytest.raises(RuntimeError):
        sweep.sweep()
    assert sorted(str(name_of(record)) for record in records) == ["ann", "ann", "ann", "beth", "beth"]
    sweep.sweep()
    assert {name_of(record) for record in records} == {"beth"}
    assert [len(events(record)) for record in records] == [2] * 5


@pytest.mark.skipif(not connection.features.has_select_for_update, reason="one writer at a time")
def test_a_writer_at_the_same_time_loses_neither_change() -> None:
    """He has read the old name and not committed: the sweep waits for him, and then sees both."""
    courier = user("ann")
    record = delivery(courier=courier)
    begun, go_on = threading.Event(), threading.Event()

    def write() -> None:
        try:
            with transaction.atomic():
                record.status = "moving"
                record.save()
                begun.set()
                assert go_on.wait(20)
        finally:
            connections.close_all()

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(20)
    courier.username = "beth"
    courier.save()
    sweeper = threading.Thread(target=sweep_alone)
    sweeper.start()
    go_on.set()
    writer.join(20)
    sweeper.join(20)
    state = stream(record).state or {}
    assert (state["status"], state["courier_name"]) == ("moving", "beth")


def test_the_relay_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    courier = user("ann")
    record = delivery(courier=courier)
    courier.username = "beth"
    courier.save()
    assert relay.rest(20)
    assert name_of(record) == "beth"
