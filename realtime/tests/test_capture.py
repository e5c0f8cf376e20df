"""What a save or a delete leaves in the log: one event a topic and transaction, and none when nothing changed."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from realtime.actor import acting
from realtime.capture import orm
from realtime.models import Event, Stream
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery, Route, Toll
from realtime.tests.people import delivery, events, story, stream

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long, pytest.mark.usefixtures("capture")]


class RollBack(Exception):
    """Ends a block without its work."""


def block(work: Callable[[], None], *, fails: bool = False) -> None:
    """Run ``work`` in an atomic block, a savepoint when there is one already; roll it back when it ``fails``."""
    try:
        with transaction.atomic():
            work()
            if fails:
                raise RollBack
    except RollBack:
        return


def set_status(record: Delivery, status: str) -> None:
    record.status = status
    record.save()


def test_a_new_record_is_version_1_with_its_whole_state() -> None:
    record = delivery(price=Decimal("85.50"))
    (event,) = events(record)
    assert event.version == 1
    assert event.before is None
    assert event.state == {
        "sender_id": record.sender_id,
        "courier_id": record.courier_id,
        "status": "waiting",
        "price": "85.50",
        "courier_name": record.courier and record.courier.username,
        "town": "nowhere",
        "last_toll": None,
        "tags": [],
    }


def test_a_change_says_what_was_before() -> None:
    record = delivery()
    set_status(record, "moving")
    assert events(record)[-1].before == {"status": "waiting"}
    assert stream(record).changed == ["status"]


def test_an_undeclared_field_is_no_event() -> None:
    record = delivery()
    record.memo = "ring twice"
    record.save()
    record.save()
    assert story(record) == [(1, "waiting")]
    assert "ring twice" not in str(stream(record).state)


def test_several_saves_of_one_transaction_are_one_event() -> None:
    record = delivery()

    def work() -> None:
        set_status(record, "packed")
        Route.objects.create(delivery=record, town="Ulm")
        set_status(record, "moving")

    block(work)
    assert story(record) == [(1, "waiting"), (2, "moving")]
    assert events(record)[1].before == {"status": "waiting", "town": "nowhere"}


def test_back_where_it_began_is_no_event() -> None:
    record = delivery()

    def work() -> None:
        set_status(record, "moving")
        set_status(record, "waiting")

    block(work)
    assert story(record) == [(1, "waiting")]
    set_status(record, "moving")
    assert story(record) == [(1, "waiting"), (2, "moving")]


def test_a_rolled_back_transaction_leaves_nothing() -> None:
    record = delivery()
    block(lambda: set_status(record, "lost"), fails=True)
    set_status(record, "moving")
    assert story(record) == [(1, "waiting"), (2, "moving")]


def test_a_save_then_a_savepoint_that_rolls_back() -> None:
    record = delivery()

    def work() -> None:
        set_status(record, "packed")
        block(lambda: set_status(record, "lost"), fails=True)

    block(work)
    assert story(record) == [(1, "waiting"), (2, "packed")]


def test_a_savepoint_that_rolls_back_then_a_save() -> None:
    record = delivery()

    def work() -> None:
        block(lambda: set_status(record, "lost"), fails=True)
        set_status(record, "packed")
        set_status(record, "moving")

    block(work)
    assert story(record) == [(1, "waiting"), (2, "moving")]


def test_an_inner_block_that_ended_goes_with_the_outer_one() -> None:
    record = delivery()

    def work() -> None:
        block(lambda: set_status(record, "packed"))
        set_status(record, "moving")

    block(work, fails=True)
    assert story(record) == [(1, "waiting")]
    block(work)
    assert story(record) == [(1, "waiting"), (2, "moving")]


def test_back_where_it_began_across_a_savepoint() -> None:
    record = delivery()

    def work() -> None:
        block(lambda: set_status(record, "packed"))
        block(lambda: set_status(record, "lost"), fails=True)
        set_status(record, "waiting")

    block(work)
    assert story(record) == [(1, "waiting")]


def test_a_commit_hook_that_raises_does_not_join_two_transactions() -> None:
    """The hook before ours fails, so ours is never called: the next transaction must not take the last one's event."""
    record = delivery()

    def fail() -> None:
        raise RollBack

    def work() -> None:
        transaction.on_commit(fail)
        set_status(record, "packed")

    block(work)
    block(lambda: set_status(record, "moving"))
    assert story(record) == [(1, "waiting"), (2, "packed"), (3, "moving")]


def test_a_row_never_commits_without_its_event(capture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside ``atomic`` too: the event fails, so the save does."""
    record = delivery()
    if capture == "triggers":
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO realtime_event (topic, version, actor, context, at) VALUES (%s, 2, '', '{}', now())",
                [DeliveryFeed.topic(record.pk)],
            )
        with pytest.raises(IntegrityError):
            set_status(record, "moving")
        assert Delivery.objects.get(pk=record.pk).status == "waiting"
        return

    def fail(*args: object, **kwargs: object) -> None:
        raise RollBack

    monkeypatch.setattr("realtime.log.record", fail)
    with pytest.raises(RollBack):
        set_status(record, "moving")
    assert Delivery.objects.get(pk=record.pk).status == "waiting"


def test_parts_and_related_rows_are_read_from_stored_columns() -> None:
    record = delivery()
    Toll.objects.create(delivery=record, amount=Decimal("1.50"))
    toll = Toll.objects.create(delivery=record, amount=Decimal("2"))
    Toll.objects.create(delivery=record, amount=Decimal("9"), kind="bridge")
    state = stream(record).state
    assert state is not None
    assert (state["last_toll"]["id"], state["last_toll"]["amount"]) == (toll.pk, "2.00")
    toll.delete()
    assert (stream(record).state or {})["last_toll"]["amount"] == "1.50"


def test_deleting_is_a_last_version_and_the_key_goes_on() -> None:
    record = delivery()
    Route.objects.create(delivery=record, town="Ulm")
    key = record.pk
    record.delete()
    record.pk = key
    assert story(record) == [(1, "waiting"), (2, "waiting"), (3, "gone")]
    assert (events(record)[-1].before or {})["town"] == "Ulm"
    again = delivery(pk=key)
    assert story(again) == [(1, "waiting"), (2, "waiting"), (3, "gone"), (4, "waiting")]


def test_made_and_deleted_in_one_transaction_is_no_event() -> None:
    def work() -> None:
        delivery().delete()

    block(work)
    assert Event.objects.count() == 0
    block(work)
    assert list(Stream.objects.values_list("version", "state")) == [(0, None), (0, None)]


def test_a_record_older_than_the_installation_begins_with_its_first_change() -> None:
    record = delivery()
    Stream.objects.all().delete()
    Event.objects.all().delete()
    set_status(record, "moving")
    assert story(record) == [(1, "moving")]


def test_an_event_names_who_wrote_it(capture: str) -> None:
    record = delivery()
    with acting("user:5", source="http", request="r1", reason="asked"), transaction.atomic():
        set_status(record, "moving")
    first, second = events(record)
    assert (second.actor, second.context["source"]) == ("user:5", "http")
    assert (second.context["request"], second.context["reason"]) == ("r1", "asked")
    role = connection.settings_dict["USER"]
    assert first.actor == (f"role:{role}" if capture == "triggers" else "")
    assert second.context.get("role") == (role if capture == "triggers" else None)


def test_a_statement_that_is_no_transaction_names_its_writer_too() -> None:
    record = delivery()
    with acting("command:nightly", source="command"):
        set_status(record, "moving")
    event = events(record)[-1]
    assert (event.actor, event.context["source"]) == ("command:nightly", "command")
    set_status(record, "there")
    assert events(record)[-1].actor != "command:nightly"


def test_who_wrote_is_said_again_after_a_savepoint_that_rolled_back() -> None:
    record = delivery()

    def work() -> None:
        with acting("user:1"):
            set_status(record, "packed")
        with acting("user:2"):
            block(lambda: set_status(record, "lost"), fails=True)
            set_status(record, "moving")

    block(work)
    assert events(record)[-1].actor == "user:2"


def test_the_orm_reads_a_state_by_a_statement_that_follows_the_declaration(monkeypatch: pytest.MonkeyPatch) -> None:
    record = delivery()
    Toll.objects.create(delivery=record, amount=Decimal("1.50"))

    def toll() -> Any:
        return orm.read(DeliveryFeed, [record.pk], using="default")[record.pk]["last_toll"]

    assert toll()["amount"] == "1.50"
    with monkeypatch.context() as changed:
        changed.setattr(DeliveryFeed, "parts", [part for part in DeliveryFeed.parts if part.model is not Toll])
        assert toll() is None
    with monkeypatch.context() as changed:
        changed.setattr(orm, "_expressions", lambda feed: pytest.fail("compiled once more"))
        assert toll()["amount"] == "1.50"


def test_the_first_write_of_a_transaction_answers_for_itself() -> None:
    record = delivery()
    with acting("user:5"), transaction.atomic():
        route = Route.objects.create(delivery=record, town="100 %")
    assert Route.objects.get(pk=route.pk).town == "100 %"
    with acting("user:6"), transaction.atomic():
        assert Delivery.objects.filter(status="nowhere").update(status="moving") == 0
    with acting("user:7"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE deliveries_delivery SET status = '100 %' WHERE status = 'nowhere'")
        assert cursor.rowcount == 0


def test_a_gate_that_is_no_field_is_an_event_that_shows_nothing() -> None:
    from realtime.masking import frame_for
    from realtime.tests.people import user

    record = delivery()
    record.sender = user()
    record.save()
    assert events(record)[-1].before == {"sender_id": (events(record)[0].state or {})["sender_id"]}
    from realtime import log

    (update,) = log.states([DeliveryFeed.topic(record.pk)]).values()
    frame = frame_for(update, "sender")
    assert frame["changed"] == []
    assert "sender_id" not in frame
