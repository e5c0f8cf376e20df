import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.models import Role
from accounts.tests.people import person
from orders.exceptions import OrderNotFound
from orders.models import Status
from orders.selectors import order_audience, order_for, order_verbs, orders_available, orders_of
from orders.tests.stairs import order_made

pytestmark = pytest.mark.django_db


@pytest.fixture
def booster():
    return person(Role.BOOSTER)


@pytest.fixture
def order(booster):
    return order_made(status=Status.CONTINUE, booster_id=booster.pk)


@pytest.mark.parametrize("role", [Role.CLIENT, Role.BOOSTER])
def test_a_stranger_finds_nothing(order, role):
    stranger = person(role)
    assert not orders_of(stranger)
    with pytest.raises(OrderNotFound):
        order_for(stranger, order.pk)


def test_nobody_finds_nothing(order):
    for nobody in (AnonymousUser(), person(Role.ADMIN, is_active=False)):
        assert not orders_of(nobody)
        assert not order_verbs(nobody, order)
        with pytest.raises(OrderNotFound):
            order_for(nobody, order.pk)


def test_each_role_finds_its_own(order, booster):
    other = order_made()
    assert list(orders_of(order.client)) == [order]
    assert list(orders_of(booster)) == [order]
    assert list(orders_of(person(Role.MANAGER))) == list(orders_of(person(Role.ADMIN))) == [other, order]
    assert list(orders_available()) == [other]


def test_as_what_somebody_sees_an_order(order, booster):
    people = [
        order.client,
        booster,
        person(Role.MANAGER),
        person(Role.ADMIN),
        person(Role.BOOSTER),
        person(Role.CLIENT),
    ]
    assert [order_audience(user, order) for user in people] == ["client", "booster", "manager", "admin", None, None]
    assert order_audience(booster, order_made()) == "prospect"
    assert order_audience(person(Role.BOOSTER), order_made(booster=booster)) is None


@pytest.mark.parametrize("order_id", [-1, 0, 2**31, 2**63 - 1, 2**63, 10**400, "1", "1e3", "٣", None, True])
def test_what_is_no_key_finds_nothing(order_id):
    with pytest.raises(OrderNotFound):
        order_for(person(Role.ADMIN), order_id)


def test_a_list_costs_one_query(booster, django_assert_num_queries):
    for _ in range(3):
        order_made(status=Status.CONTINUE, booster_id=booster.pk)
    admin = person(Role.ADMIN)
    with django_assert_num_queries(1):
        assert [(str(order.client), str(order.booster), order_verbs(admin, order)) for order in orders_of(admin)]
