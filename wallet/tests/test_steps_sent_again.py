"""A step with an idempotency key is taken once, and answered each time it comes."""

import pytest

from accounts.models import Role
from accounts.tests.people import person
from orders.exceptions import KeyReused, OrderNotFound
from orders.models import BaseOrder, Status
from orders.services import order_claim, order_drop, order_finish, order_release
from orders.tests.stairs import order_made
from orders.tests.threads import at_once, racing
from wallet.tests.disputed import fresh, rows

pytestmark = pytest.mark.django_db


@racing
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", ["release", "finish", "drop"])
def test_a_step_raced_with_one_key_is_taken_once_and_answered_each_time(verb):
    manager = person(Role.MANAGER)
    order = order_made(status=Status.CONTINUE, booster_id=person(Role.BOOSTER).pk, title="0 4 10")
    services = {
        "release": lambda: order_release(order_id=order.pk, by=manager, idempotency_key="one"),
        "finish": lambda: order_finish(order_id=order.pk, by=manager, idempotency_key="one"),
        "drop": lambda: order_drop(order_id=order.pk, by=manager, reason="Asked.", idempotency_key="one"),
    }
    results = at_once(*[services[verb]] * 6, behind=order)
    assert {type(result) for result in results} == {BaseOrder}
    assert len(rows(order, "payout")) == 1
    assert len(rows(order, "refund")) == (verb == "drop")


def test_a_booster_who_released_and_lost_the_order_is_answered_when_he_sends_it_again():
    order = order_made(status=Status.CONTINUE, booster_id=person(Role.BOOSTER).pk, title="0 4 10")
    first = order.booster
    assert first is not None
    order_release(order_id=order.pk, by=first, idempotency_key="one")
    order_claim(order_id=order.pk, booster=person(Role.BOOSTER))
    assert order_release(order_id=order.pk, by=first, idempotency_key="one").pk == order.pk
    with pytest.raises(OrderNotFound):
        order_release(order_id=order.pk, by=first, idempotency_key="two")
    assert rows(order, "payout") == [(first.pk, 28)]


def test_a_key_stands_for_one_step_of_one_order():
    manager = person(Role.MANAGER)
    one, other = (
        order_made(status=Status.CONTINUE, booster_id=person(Role.BOOSTER).pk, title="0 4 10") for _ in range(2)
    )
    order_drop(order_id=one.pk, by=manager, reason="Asked.", idempotency_key="k")
    for again in (
        lambda: order_drop(order_id=one.pk, by=manager, reason="Asked for.", idempotency_key="k"),
        lambda: order_drop(order_id=other.pk, by=manager, reason="Asked.", idempotency_key="k"),
        lambda: order_finish(order_id=other.pk, by=manager, idempotency_key="k"),
    ):
        with pytest.raises(KeyReused):
            again()
    assert fresh(other).status == Status.CONTINUE
