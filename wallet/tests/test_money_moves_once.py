"""I21: retried, raced or replayed, a payout is one ledger row."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Role
from accounts.tests.people import person
from orders.exceptions import WrongStatus
from orders.models import BaseOrder, Status
from orders.services import (
    order_drop,
    order_extend,
    order_finish,
    order_release,
)
from orders.settlements import settle
from orders.signals import payout_due
from orders.tests.stairs import order_made
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
