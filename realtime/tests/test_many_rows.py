"""Writes that Django sends no signal for: the same events as a save makes, whichever capture is in force."""

import pickle
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import F

from realtime.models import Event
from realtime.tests.deliveries.models import Delivery, Express, Parcel, Route, Tag, Toll
from realtime.tests.no_write_escapes.paths import conflicting
from realtime.tests.people import delivery, events, story, stream, user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("capture")]


def newest(record: Delivery) -> dict[str, object]:
    return stream(record).state or {}


def test_an_update_is_an_event_of_each_row_that_it_changed() -> None:
    first, second, third = delivery(), delivery(), delivery(status="moving")
    assert Delivery.objects.exclude(pk=third.pk).update(status="moving") == 2
    assert story(first) == story(second) == [(1, "waiting"), (2, "moving")]
    assert Delivery.objects.update(status="moving") == 3
    assert story(third) == [(1, "moving")], "what did not change is no event"


def test_an_update_by_an_expression_and_through_a_relation() -> None:
    record = delivery(price=Decimal("10"))
    Toll.objects.create(delivery=record, amount=Decimal("1"))
    Delivery.objects.filter(pk=record.pk).update(price=F("price") * 2)
    assert newest(record)["price"] == "20.00"
    record.tolls.update(amount=F("amount") + 1)
    assert newest(record)["last_toll"]["amount"] == "2.00"  # type: ignore[index]
    record.tolls.all().delete()
    assert newest(record)["last_toll"] is None


def test_an_update_that_its_own_filter_no_longer_finds() -> None:
    record = delivery()
    Delivery.objects.filter(status="waiting").update(status="moving")
    assert story(record) == [(1, "waiting"), (2, "moving")]


def test_a_rolled_back_update_leaves_nothing() -> None:
    record = delivery()
    with transaction.atomic():
        Delivery.objects.update(status="lost")
        transaction.set_rollback(True)
    assert story(record) == [(1, "waiting")]


def test_rows_made_at_once() -> None:
    sender, courier = user(), user()
    made = Delivery.objects.bulk_create([Delivery(sender=sender, courier=courier) for _ in range(3)])
    assert [story(record) for record in made] == [[(1, "waiting")]] * 3
    Route.objects.bulk_create([Route(delivery=record, town="Ulm") for record in made])
    assert [newest(record)["town"] for record in made] == ["Ulm"] * 3


def test_rows_made_or_changed_at_once() -> None:
    record, other = delivery(), delivery()
    Route.objects.create(delivery=record, town="Ulm")
    rows = [Route(delivery=record, town="Bonn"), Route(delivery=other, town="Trier")]
    Route.objects.bulk_create(rows, update_conflicts=True, update_fields=["town"], **conflicting("delivery"))
    assert (newest(record)["town"], newest(other)["town"]) == ("Bonn", "Trier")
    Route.objects.bulk_create([Route(delivery=record, town="Kiel")], ignore_conflicts=True)
    assert newest(record)["town"] == "Bonn"


def test_rows_changed_at_once() -> None:
    records = [delivery(), delivery()]
    for number, record in enumerate(records):
        record.status = f"stop {number}"
    Delivery.objects.bulk_update(records, ["status"])
    assert [story(record)[-1] for record in records] == [(2, "stop 0"), (2, "stop 1")]


def test_a_row_that_moves_changes_both_records() -> None:
    left, joined = delivery(), delivery()
    route = Route.objects.create(delivery=left, town="Ulm")
    route.delivery = joined
    route.save()
    assert (newest(left)["town"], newest(joined)["town"]) == ("nowhere", "Ulm")
    Route.objects.filter(pk=route.pk).update(delivery=left)
    assert (newest(left)["town"], newest(joined)["town"]) == ("Ulm", "nowhere")


def test_a_proxy_and_a_child_are_the_record() -> None:
    record = delivery()
    parcel = Parcel.objects.get(pk=record.pk)
    parcel.status = "moving"
    parcel.save()
    Parcel.objects.update(status="there")
    assert story(record) == [(1, "waiting"), (2, "moving"), (3, "there")]
    child = Express.objects.create(sender=user(), courier=user(), hours=3)
    child.status = "moving"
    child.save()
    Express.objects.filter(pk=child.pk).update(status="there")
    assert story(child) == [(1, "waiting"), (2, "moving"), (3, "there")]
    Express.objects.filter(pk=child.pk).delete()
    assert story(child)[-1] == (4, "gone")


def test_a_list_follows_what_is_added_and_removed() -> None:
    record = delivery()
    red, blue = Tag.objects.create(name="red"), Tag.objects.create(name="blue")
    record.tags.add(red, blue)
    assert newest(record)["tags"] == ["blue", "red"]
    record.tags.remove(blue)
    assert newest(record)["tags"] == ["red"]
    blue.deliveries.add(record)
    record.tags.set([blue])
    assert newest(record)["tags"] == ["blue"]
    blue.deliveries.clear()
    assert newest(record)["tags"] == []
    assert [event.before for event in events(record)][1:3] == [{"tags": []}, {"tags": ["blue", "red"]}]


def test_keys_that_are_set_to_null_by_a_deletion() -> None:
    record = delivery()
    Delivery.objects.filter(pk=record.pk).update(courier=None)
    assert (newest(record)["courier_id"], newest(record)["courier_name"]) == (None, None)


def test_querysets_stay_what_they_were() -> None:
    record = delivery()
    rows = Delivery.objects.filter(status="waiting")
    assert list(pickle.loads(pickle.dumps(rows))) == [record]
    with pytest.raises(TypeError, match="slice"):
        Delivery.objects.all()[:1].update(status="lost")
    assert Delivery.objects.none().update(status="lost") == 0
    assert Delivery.objects.update.alters_data  # type: ignore[attr-defined]
    assert Event.objects.count() == 1
