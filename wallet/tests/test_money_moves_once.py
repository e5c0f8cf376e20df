"""I21: retried, raced or replayed, a payout is one ledger row."""

import random
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Role
from accounts.tests.people import person
from orders.exceptions import OrderError, WrongStatus
from orders.models import BaseOrder, Status
from orders.services import (
    order_claim,
    order_drop,
    order_extend,
    order_finish,
    order_release,
    order_report_progress,
    order_reprice,
)
from orders.settlements import settle
from orders.signals import payout_due
from orders.tests.stairs import order_made, places
from orders.tests.threads import at_once, racing
from wallet.models import Transaction
from wallet.selectors import order_books


def played(booster, title="0 10 10"):
    return order_made(status=Status.CONTINUE, booster_id=booster.pk, title=title)


def rows(order, kind):
    return list(Transaction.objects.filter(order=order, kind=kind).values_list("user", "amount"))


@racing
@pytest.mark.django_db(transaction=True)
def test_eight_who_finish_at_once_pay_out_once():
    booster, manager = person(Role.BOOSTER), person(Role.MANAGER)
    order = played(booster)
    results = at_once(
        *[lambda by=by: order_finish(order_id=order.pk, by=by) for by in (booster, manager) * 4], behind=order
    )
    assert sorted(type(result).__name__ for result in results) == ["BaseOrder"] + ["WrongStatus"] * 7
    assert rows(order, "payout") == [(booster.pk, 70)]


@racing
@pytest.mark.django_db(transaction=True)
def test_a_release_a_drop_and_a_finish_at_once_pay_the_part_done_once():
    booster, manager = person(Role.BOOSTER), person(Role.MANAGER)
    order = played(booster, "0 4 10")
    at_once(
        lambda: order_release(order_id=order.pk, by=booster),
        lambda: order_release(order_id=order.pk, by=manager),
        lambda: order_drop(order_id=order.pk, by=manager, reason="The account was sold."),
        lambda: order_finish(order_id=order.pk, by=manager),
        behind=order,
    )
    assert len(rows(order, "payout")) == 1
    books = order_books(order)
    assert books.payouts <= 70
    assert books.refunds <= books.payments


@racing
@pytest.mark.django_db(transaction=True)
def test_an_extension_raced_with_one_key_is_paid_once():
    order = played(person(Role.BOOSTER), "0 4 10")
    extend = lambda: order_extend(order_id=order.pk, goal=12, by=order.client, idempotency_key="one")  # noqa: E731
    assert all(isinstance(result, BaseOrder) for result in at_once(*[extend] * 6, behind=order))
    assert order_books(order).payments == 120


@pytest.mark.django_db
def test_a_settlement_that_is_told_twice_breaks_the_step():
    """Without the row lock two writers would count the same settlement: the second insert must fail."""
    booster = person(Role.BOOSTER)
    order = played(booster)
    copy = BaseOrder.objects.get(pk=order.pk)
    settle(order, payout=Decimal(1))
    with (
        pytest.raises(IntegrityError, match=r"transaction_once_a_settlement|idempotency_key|transaction.settlement"),
        transaction.atomic(),
    ):
        settle(copy, payout=Decimal(1))
    assert rows(order, "payout") == [(booster.pk, 1)]


@pytest.mark.django_db
def test_a_receiver_after_the_ledger_that_fails_takes_the_row_back():
    booster = person(Role.BOOSTER)
    order = played(booster)

    def break_down(**_):
        raise RuntimeError("after the ledger")

    payout_due.connect(break_down)
    try:
        with pytest.raises(RuntimeError):
            order_finish(order_id=order.pk, by=booster)
    finally:
        payout_due.disconnect(break_down)
    assert rows(order, "payout") == []
    order_finish(order_id=order.pk, by=booster)
    assert rows(order, "payout") == [(booster.pk, 70)]


@pytest.mark.django_db
def test_a_replayed_finish_is_refused():
    booster = person(Role.BOOSTER)
    order = played(booster)
    order_finish(order_id=order.pk, by=booster)
    for again in (order_finish, order_release):
        with pytest.raises(WrongStatus):
            again(order_id=order.pk, by=booster)
    assert len(rows(order, "payout")) == 1


def something_happens(order, dice, boosters, manager, *, key):
    booster = order.booster or dice.choice(boosters)
    _, reached, goal = places(order)
    match dice.choice(["claim", "report", "report", "release", "extend", "reprice", "finish", "drop"]):
        case "claim":
            order_claim(order_id=order.pk, booster=booster)
        case "report":
            order_report_progress(order_id=order.pk, reached=reached + 1, by=booster)
        case "release":
            order_release(order_id=order.pk, by=booster)
        case "extend":
            order_extend(order_id=order.pk, goal=goal + 1, by=order.client, idempotency_key=key)
        case "reprice":
            price, payout = (Decimal(dice.randrange(1, 20000)) / 100 for _ in range(2))
            prices: Any = {"actual_price": price, "booster_price": payout}
            order_reprice(order_id=order.pk, **prices, reason="Try.", by=manager, idempotency_key=key)
        case "finish":
            order_finish(order_id=order.pk, by=booster)
        case "drop" if dice.random() < 0.1:
            order_drop(order_id=order.pk, by=manager, reason="Try.")


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_the_books_agree_with_the_order(seed):
    dice = random.Random(seed)
    manager, boosters = person(Role.MANAGER), [person(Role.BOOSTER) for _ in range(3)]
    order = order_made(goal=7)
    for step in range(40):
        with suppress(OrderError):
            something_happens(BaseOrder.objects.get(pk=order.pk), dice, boosters, manager, key=f"step.{step}")
        order = BaseOrder.objects.get(pk=order.pk)
        books = order_books(order)
        open_ = order.status not in (Status.DONE, Status.DROPPED)
        agreed = order.paid_out + order.booster_price
        assert books.payments - books.refunds == (
            order.worked_price if order.status == Status.DROPPED else order.actual_price
        )
        assert books.payouts == (order.paid_out if open_ else books.payouts) <= agreed
        assert order.status != Status.DONE or books.payouts == agreed
