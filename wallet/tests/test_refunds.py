"""A refund in a dispute leaves no promise to boosters that the client does not pay for, and is never out of reach."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Role
from accounts.tests.people import person
from orders.exceptions import PayoutTooHigh
from orders.models import BaseOrder
from orders.services import (
    order_claim,
    order_drop,
    order_finish,
    order_release,
    order_report_progress,
    order_reprice,
)
from wallet.selectors import order_books
from wallet.tests.disputed import disputed, fresh, held, resolve, rows

pytestmark = pytest.mark.django_db


def lower_or_raise(order, price, payout):
    prices: Any = {"actual_price": Decimal(price), "booster_price": Decimal(payout)}
    by, key = person(Role.MANAGER), f"{order.pk}: {price}, {payout}"
    return order_reprice(order_id=order.pk, **prices, reason="Harder.", by=by, idempotency_key=key)


def prices_of(order):
    return fresh(order).actual_price, fresh(order).booster_price


def released_and_promised(payout):
    """4 of 10 steps are held, 28.00 for 40.00; who plays the rest gets ``payout`` for it."""
    order = disputed()
    order_release(order_id=order.pk, by=order.booster)
    order_claim(order_id=order.pk, booster=person(Role.BOOSTER))
    lower_or_raise(order, 100, payout)
    return fresh(order)


def test_a_refund_does_not_leave_boosters_with_more_than_the_client_pays():
    order = released_and_promised(72)
    before = order_books(order)
    with pytest.raises(PayoutTooHigh, match=r"client pays 60\.00, .* would get 72\.00\. Lower .* to 60\.00 or less"):
        resolve(order, "refunded")
    after = fresh(order)
    assert (after.disputed, after.actual_price, after.paid_out) == (True, 100, 28), "a refusal changes nothing"
    assert (order_books(order), len(held(order))) == (before, 1)
    lower_or_raise(order, 100, 60)
    resolve(order, "refunded")
    assert prices_of(order) == (60, 60)
    assert order_books(order).refunds == 40


def test_where_the_margin_of_the_rest_allows_it_a_higher_payout_hinders_no_refund():
    order = released_and_promised(60)
    resolve(order, "refunded")
    assert not fresh(order).disputed


def test_a_refused_refund_may_be_paid_out_instead():
    order = released_and_promised(72)
    booster = order.disputes.get().held.get().booster_id
    resolve(order, "paid")
    assert rows(order, "payout") == [(booster, 28)]


def test_several_held_parts_are_weighed_together():
    order = released_and_promised(42)
    order_report_progress(order_id=order.pk, reached=7, by=order.booster)
    order_release(order_id=order.pk, by=order.booster)
    assert [row[1:] for row in held(order)] == [(28, 40), (21, 30)]
    lower_or_raise(order, 100, 51)
    with pytest.raises(PayoutTooHigh, match=r"to 30\.00 or less"):
        resolve(order, "refunded")
    lower_or_raise(order, 100, 30)
    resolve(order, "refunded")
    assert prices_of(order) == (30, 30)
    assert order_books(order).refunds == 70


@pytest.mark.parametrize(
    "end",
    [
        lambda order: order_finish(order_id=order.pk, by=person(Role.MANAGER)),
        lambda order: order_drop(order_id=order.pk, by=person(Role.MANAGER), reason="Asked."),
    ],
    ids=["finish", "drop"],
)
def test_an_order_that_is_over_is_refunded_whatever_was_promised(end):
    order = released_and_promised(72)
    end(order)
    resolve(order, "refunded")
    assert not fresh(order).disputed
    assert rows(order, "payout") == []
    assert order_books(order).refunds == 100


def test_where_nothing_is_promised_any_more_a_refund_is_not_refused():
    order = disputed()
    BaseOrder.objects.filter(pk=order.pk).update(paid_out=90)  # from before there were rules
    order_release(order_id=order.pk, by=order.booster)
    with pytest.raises(PayoutTooHigh, match=r"to 0\.00 or less"):
        resolve(order, "refunded")
    lower_or_raise(order, 100, 0)
    resolve(order, "refunded")
    assert order_books(order).refunds == 40
