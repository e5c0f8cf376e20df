"""The ledger only grows."""

from decimal import Decimal

import pytest
from django.contrib.admin.sites import site
from django.db import IntegrityError
from django.db.models import ProtectedError
from django.test import RequestFactory

from accounts.models import Role
from accounts.tests.people import person
from orders.tests.stairs import order_made
from wallet.exceptions import AppendOnly, OverPaid
from wallet.models import Transaction
from wallet.selectors import Books, order_books, transactions_of, transactions_of_order, user_books
from wallet.services import payout_post, refund_post

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    return order_made(goal=10)


@pytest.fixture
def payment(order):
    return Transaction.objects.get(order=order)


def test_a_placed_order_is_one_payment_of_its_client(order, payment):
    assert (payment.kind, payment.amount, payment.user, payment.status) == ("payment", 100, order.client, "settled")


def test_a_row_is_never_changed_or_deleted(payment):
    payment.amount = Decimal(1)
    for attempt in (
        payment.save,
        payment.delete,
        Transaction.objects.all().delete,
        lambda: Transaction.objects.update(amount=1),
        lambda: Transaction.objects.bulk_update([payment], ["amount"]),
        lambda: Transaction._base_manager.update(amount=1),
        lambda: Transaction.objects.update_or_create(pk=payment.pk, defaults={"amount": 1}),
    ):
        with pytest.raises(AppendOnly, match="append-only"):
            attempt()
    assert Transaction.objects.get().amount == 100


def test_orders_and_people_with_transactions_stay(order):
    for thing in (order, order.client):
        with pytest.raises(ProtectedError):
            thing.delete()


@pytest.mark.parametrize(
    ("constraint", "wrong"),
    [
        ("transaction_amount_positive", {"amount": 0}),
        ("transaction_amount_positive", {"amount": -1}),
        ("transaction_kind_known", {"kind": "gift"}),
        ("transaction_status_known", {"status": "maybe"}),
        ("transaction_once_a_settlement|transaction.settlement", {"settlement": 1}),
        ("idempotency_key", {"idempotency_key": "order.{order}.1.payment"}),
    ],
)
def test_the_database_refuses(order, constraint, wrong):
    row = {
        "order": order,
        "user": order.client,
        "kind": "payment",
        "amount": 5,
        "settlement": 2,
        "idempotency_key": "k",
    }
    key = {name: value.format(order=order.pk) for name, value in wrong.items() if name == "idempotency_key"}
    with pytest.raises(IntegrityError, match=constraint):
        Transaction.objects.create(**row | wrong | key)


def test_more_than_the_agreed_payout_never_leaves(order):
    booster = person(Role.BOOSTER)
    order.settlement = 2
    payout_post(order=order, booster=booster, amount=Decimal(70))
    order.settlement = 3
    with pytest.raises(OverPaid):
        payout_post(order=order, booster=booster, amount=Decimal("0.01"))
    assert order_books(order) == Books(payments=Decimal(100), payouts=Decimal(70), refunds=Decimal(0))


def test_more_than_was_paid_is_never_refunded(order):
    order.settlement = 2
    with pytest.raises(OverPaid):
        refund_post(order=order, amount=Decimal("100.01"))
    refund_post(order=order, amount=Decimal(100))
    order.settlement = 3
    with pytest.raises(OverPaid):
        refund_post(order=order, amount=Decimal("0.01"))


def test_everybody_reads_his_own_rows_and_staff_reads_all(order, payment):
    booster = person(Role.BOOSTER)
    order.settlement = 2
    payout = payout_post(order=order, booster=booster, amount=Decimal(7))
    assert list(transactions_of(person(Role.CLIENT))) == []
    assert list(transactions_of_order(order.client, order)) == [payment]
    assert list(transactions_of_order(booster, order)) == [payout]
    assert list(transactions_of(person(Role.MANAGER))) == [payout, payment]
    assert user_books(booster).payouts == 7
    assert order_books(order).held == 93


def test_the_admin_site_only_shows(payment):
    page = site.get_model_admin(Transaction)
    request = RequestFactory().get("/")
    request.user = person(Role.ADMIN, is_superuser=True, is_staff=True)
    assert page.has_view_permission(request, payment)
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request, payment)
    assert not page.has_delete_permission(request, payment)
