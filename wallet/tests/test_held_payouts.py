"""While an order is disputed no payout is written; a manager decides once what becomes of those that were held."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Role
from accounts.tests.people import person
from orders.exceptions import NotDisputed, NothingHeld
from orders.models import BaseOrder, Dispute, HeldPayout, Status
from orders.services import (
    order_claim,
    order_dispute,
    order_drop,
    order_finish,
    order_release,
    order_report_progress,
    order_reprice,
)
from orders.settlements import settle
from orders.tests.stairs import order_made
from wallet.exceptions import PayoutsHeld
from wallet.selectors import order_books
from wallet.services import payout_post
from wallet.tests.disputed import disputed, fresh, held, resolve, rows

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda order: order_release(order_id=order.pk, by=order.booster), (28, 40)),
        (lambda order: order_finish(order_id=order.pk, by=person(Role.MANAGER)), (70, 100)),
        (lambda order: order_drop(order_id=order.pk, by=person(Role.MANAGER), reason="Asked."), (28, 40)),
    ],
    ids=["release", "finish", "drop"],
)
class TestEachStepThatPays:
    def test_its_payout_is_held_and_not_written(self, act, expected):
        order = disputed()
        act(order)
        assert held(order) == [(order.booster_id, *expected)]
        assert rows(order, "payout") == []
        assert fresh(order).disputed

    def test_paid_out_it_is_the_row_that_it_would_have_been(self, act, expected):
        order = disputed()
        act(order)
        resolve(order, "paid")
        assert rows(order, "payout") == [(order.booster_id, expected[0])]
        assert held(order) == []
        assert not fresh(order).disputed
        twin = order_made(status=Status.CONTINUE, booster_id=order.booster_id, title="0 4 10")
        act(twin)
        same = ("status", "actual_price", "booster_price", "worked_price", "paid_out", "settlement")
        assert [getattr(fresh(order), name) for name in same] == [getattr(fresh(twin), name) for name in same]
        assert order_books(order) == order_books(twin)

    def test_refunded_the_client_gets_his_price_of_that_part_and_the_booster_nothing(self, act, expected):
        order = disputed()
        act(order)
        before = order_books(order).refunds
        resolve(order, "refunded")
        assert rows(order, "payout") == []
        assert order_books(order).refunds == before + expected[1]
        after = fresh(order)
        assert after.paid_out + after.booster_price == 70 - expected[0]
        assert order_books(order).held == (after.worked_price if after.status == Status.DROPPED else after.actual_price)

    def test_after_the_decision_nothing_more_moves(self, act, expected):
        order = disputed()
        act(order)
        resolve(order, "paid")
        before = order_books(order)
        for outcome in ("paid", "refunded"):
            with pytest.raises(NotDisputed):
                resolve(order, outcome)
        assert order_books(order) == before


def test_a_payout_past_the_services_is_refused_too():
    order = disputed()
    with pytest.raises(PayoutsHeld):
        payout_post(order=order, booster=order.booster, amount=Decimal(1))


def test_money_for_the_client_is_not_held():
    order = disputed()
    order_drop(order_id=order.pk, by=person(Role.MANAGER), reason="Asked.")
    assert rows(order, "refund") == [(order.client_id, 60)]


def test_two_boosters_payouts_are_held_and_each_gets_his_own():
    order = disputed()
    first, second = order.booster, person(Role.BOOSTER)
    order_release(order_id=order.pk, by=first)
    order_claim(order_id=order.pk, booster=second)
    order_report_progress(order_id=order.pk, reached=10, by=second)
    order_finish(order_id=order.pk, by=second)
    assert [row[:2] for row in held(order)] == [(first.pk, 28), (second.pk, 42)]
    resolve(order, "paid")
    assert rows(order, "payout") == [(first.pk, 28), (second.pk, 42)]


def test_a_second_dispute_holds_only_what_comes_due_in_it():
    order = disputed()
    booster = order.booster
    order_release(order_id=order.pk, by=booster)
    resolve(order, "refunded")
    order_claim(order_id=order.pk, booster=booster)
    order_dispute(order_id=order.pk, by=person(Role.MANAGER), reason="Again.")
    order_report_progress(order_id=order.pk, reached=10, by=booster)
    order_finish(order_id=order.pk, by=booster)
    assert held(order) == [(booster.pk, 42, 60)]
    resolve(order, "paid")
    assert rows(order, "payout") == [(booster.pk, 42)]
    assert rows(order, "refund") == [(order.client_id, 40)]
    assert fresh(order).actual_price == 60
    assert [dispute.outcome for dispute in order.disputes.order_by("id")] == ["refunded", "paid"]


def test_nothing_held_can_be_paid_out_but_not_refunded():
    order = disputed()
    with pytest.raises(NothingHeld):
        resolve(order, "refunded")
    assert fresh(order).disputed, "a refusal changes nothing"
    assert not order.decisions.exists()
    resolve(order, "paid")
    assert not fresh(order).disputed
    order_release(order_id=order.pk, by=order.booster)
    assert rows(order, "payout") == [(order.booster_id, 28)], "paid as ever"


@pytest.mark.parametrize(
    ("act", "price"),
    [
        (lambda order: order_release(order_id=order.pk, by=order.booster), 40),
        (lambda order: order_finish(order_id=order.pk, by=person(Role.MANAGER)), 100),
        (lambda order: order_drop(order_id=order.pk, by=person(Role.MANAGER), reason="Asked."), 40),
    ],
    ids=["release", "finish", "drop"],
)
@pytest.mark.parametrize("outcome", ["paid", "refunded"])
def test_a_payout_of_nothing_is_held_too_so_that_the_client_can_get_his_money_back(act, price, outcome):
    order = disputed()
    prices: Any = {"actual_price": Decimal(100), "booster_price": Decimal(0)}
    order_reprice(order_id=order.pk, **prices, reason="He cheated.", by=person(Role.MANAGER), idempotency_key="no pay")
    act(order)
    assert held(order) == [(order.booster_id, 0, price)]
    before = order_books(order).refunds
    resolve(order, outcome)
    assert rows(order, "payout") == []
    assert order_books(order).refunds == before + (price if outcome == "refunded" else 0)


def test_where_nothing_was_done_nothing_is_held():
    order = disputed("0 0 10")
    order_release(order_id=order.pk, by=order.booster)
    assert held(order) == []


def test_a_held_payout_that_was_paid_already_breaks_on_the_ledgers_key():
    """Without the order's lock two managers would both find it held: the second insert must fail."""
    order = disputed()
    order_finish(order_id=order.pk, by=person(Role.MANAGER))
    resolve(order, "paid")
    HeldPayout.objects.update(outcome="")
    Dispute.objects.update(outcome="", resolved_by=None, resolved_at=None)
    BaseOrder.objects.filter(pk=order.pk).update(disputed=True, booster_price=1000)
    with pytest.raises(IntegrityError), transaction.atomic():
        resolve(order, "paid")
    assert rows(order, "payout") == [(order.booster_id, 70)]


def test_a_settlement_without_money_tells_nothing():
    order = disputed()
    before = order.settlement
    settle(order)
    assert order.settlement == before
