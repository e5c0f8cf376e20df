import pytest

from accounts.models import Role
from accounts.tests.people import person
from orders.exceptions import BadText, KeyMissing, KeyReused, NotAllowed, WrongRole
from orders.models import BaseOrder, Post
from orders.services import order_extend, order_write_note
from orders.tests.stairs import order_made, row
from orders.tests.threads import at_once, racing


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.BOOSTER, Role.MANAGER, Role.ADMIN])
def test_only_clients_place_orders(role):
    with pytest.raises(NotAllowed, match="placed by clients"):
        order_made(client=person(role))
    assert not BaseOrder.objects.exists()


@pytest.mark.django_db
def test_a_disabled_client_places_none():
    with pytest.raises(NotAllowed):
        order_made(client=person(Role.CLIENT, is_active=False))


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.CLIENT, Role.MANAGER, Role.ADMIN])
def test_only_a_booster_can_be_chosen(role):
    with pytest.raises(WrongRole):
        order_made(booster=person(role))
    assert not BaseOrder.objects.exists()


@pytest.mark.django_db
def test_the_same_request_finds_the_order_it_made():
    client = person(Role.CLIENT)
    first = order_made(client=client, key="one")
    assert order_made(client=client, key="one") == first
    assert order_made(client=person(Role.CLIENT), key="one") != first
    assert BaseOrder.objects.count() == 2


@pytest.mark.django_db
def test_another_request_under_the_same_key_is_refused():
    client = person(Role.CLIENT)
    order = order_made(client=client, key="one")
    with pytest.raises(KeyReused):
        order_made(client=client, key="one", goal=11)
    with pytest.raises(KeyReused):
        order_extend(order_id=order.pk, goal=20, by=client, idempotency_key="one")
    assert Post.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 65, "a\x00", "ü", "\ud800", "a\n", None, 5])
def test_an_order_needs_a_key(key):
    with pytest.raises(KeyMissing):
        order_made(key=key)
    assert not BaseOrder.objects.exists()


@racing
@pytest.mark.django_db(transaction=True)
def test_the_same_request_sent_by_eight_tabs_at_once_makes_one_order():
    client = person(Role.CLIENT)
    results = at_once(*[lambda: order_made(client=client, key="one")] * 8, behind=client)
    assert {result.pk for result in results} == {BaseOrder.objects.get().pk}
    assert Post.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("note", ["x" * 1001, "a\x00b", "\udfff", None, 7, b"x"])
def test_a_note_is_text_of_a_thousand_characters(note):
    order = order_made()
    before = row(order)
    with pytest.raises(BadText):
        order_write_note(order_id=order.pk, note=note, by=order.client)
    assert row(order) == before


@pytest.mark.django_db
def test_a_note_can_be_taken_back():
    order = order_made()
    order_write_note(order_id=order.pk, note="  After six. ", by=order.client)
    assert row(order)["note"] == "After six."
    order_write_note(order_id=order.pk, note="", by=order.client)
    assert row(order)["note"] == ""
