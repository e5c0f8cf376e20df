import pytest

from accounts.models import Role
from accounts.tests.people import person
from orders.exceptions import NotAllowed, OrderTaken, WrongRole
from orders.models import BaseOrder, Status
from orders.selectors import orders_available
from orders.services import order_assign, order_claim
from orders.tests.stairs import order_made, row
from orders.tests.threads import at_once, racing


@pytest.mark.django_db
def test_a_booster_takes_an_available_order_for_the_payout_he_saw():
    order, booster = order_made(), person(Role.BOOSTER)
    order_claim(order_id=order.pk, booster=booster)
    taken = BaseOrder.objects.get(pk=order.pk)
    assert (taken.booster, taken.status, taken.booster_price) == (booster, Status.CONTINUE, order.booster_price)
    assert order not in orders_available()


@pytest.mark.django_db
def test_only_the_booster_whom_the_client_chose_can_claim():
    chosen = person(Role.BOOSTER)
    order = order_made(booster=chosen)
    assert order not in orders_available()
    with pytest.raises(OrderTaken):
        order_claim(order_id=order.pk, booster=person(Role.BOOSTER))
    assert order_claim(order_id=order.pk, booster=chosen).status == Status.CONTINUE


@pytest.mark.django_db
def test_a_manager_assigns_another_booster_than_the_chosen_one():
    order, other = order_made(booster=person(Role.BOOSTER)), person(Role.BOOSTER)
    assert order_assign(order_id=order.pk, booster=other, by=person(Role.MANAGER)).booster == other


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.CLIENT, Role.MANAGER, Role.ADMIN])
def test_an_order_is_assigned_to_boosters_only(role):
    order = order_made()
    before = row(order)
    with pytest.raises(WrongRole):
        order_assign(order_id=order.pk, booster=person(role), by=person(Role.MANAGER))
    assert row(order) == before


@pytest.mark.django_db
def test_an_order_is_not_assigned_to_a_disabled_booster():
    booster = person(Role.BOOSTER, is_active=False)
    with pytest.raises(WrongRole):
        order_assign(order_id=order_made().pk, booster=booster, by=person(Role.MANAGER))


@pytest.mark.django_db
def test_a_client_who_became_a_booster_does_not_play_the_order_that_he_bought():
    order = order_made()
    order.client.role = Role.BOOSTER
    order.client.save()
    with pytest.raises(NotAllowed, match="Nobody plays his own order"):
        order_claim(order_id=order.pk, booster=order.client)
    with pytest.raises(WrongRole, match="bought himself"):
        order_assign(order_id=order.pk, booster=order.client, by=person(Role.MANAGER))


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
def test_staff_assigns_and_does_not_claim(role):
    with pytest.raises(NotAllowed):
        order_claim(order_id=order_made().pk, booster=person(role))


@racing
@pytest.mark.django_db(transaction=True)
def test_of_eight_boosters_who_claim_at_once_exactly_one_wins():
    order = order_made()
    boosters = [person(Role.BOOSTER) for _ in range(8)]
    results = at_once(*(lambda b=b: order_claim(order_id=order.pk, booster=b) for b in boosters), behind=order)
    winners = [booster for booster, result in zip(boosters, results, strict=True) if isinstance(result, BaseOrder)]
    assert len(winners) == 1
    assert sum(isinstance(result, OrderTaken) for result in results) == 7
    assert BaseOrder.objects.get(pk=order.pk).booster == winners[0]
