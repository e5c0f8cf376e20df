"""Transactions of several orders and their money, in opposite order: services put themselves in order."""

from contextlib import suppress
from decimal import Decimal
from functools import partial
from itertools import count
from threading import Barrier

import pytest
from django.db import connection, transaction

from orders.exceptions import OrderError
from orders.locks import orders_lock, retry_on_deadlock
from orders.models import BaseOrder
from orders.services import order_claim, order_reprice, orders_release
from realtime.models import Event, Stream
from tests.people import Cast, cast, order_of
from tests.threads import at_once
from wallet.models import Kind, Transaction

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]
ROUNDS = 12
_settlements = count(1000)


def dense_and_true(orders: list[BaseOrder]) -> None:
    for order in orders:
        topic = f"order.{order.pk}"
        versions = list(Event.objects.filter(topic=topic).order_by("version").values_list("version", flat=True))
        assert versions == list(range(1, len(versions) + 1))
        head, row = Stream.objects.get(topic=topic), BaseOrder.objects.get(pk=order.pk)
        assert head.version == versions[-1]
        assert head.state is not None
        assert (head.state["message"], Decimal(head.state["actual_price"])) == (row.message, row.actual_price)


def post(order: BaseOrder) -> None:
    """Write a row of the ledger, with no lock on the order."""
    settlement = next(_settlements)
    Transaction.objects.create(
        order=order, user_id=order.client_id, kind=Kind.PAYMENT, amount=1, settlement=settlement,
        idempotency_key=f"crossing.{settlement}",
    )  # fmt: skip


def ledger_of(orders: list[BaseOrder]) -> None:
    for _ in range(ROUNDS):
        with transaction.atomic():
            for order in orders:
                post(order)


def prices_of(people: Cast, orders: list[BaseOrder]) -> None:
    for number in range(ROUNDS):
        with transaction.atomic():
            for order in orders_lock(order_ids=[order.pk for order in orders], by=people.manager):
                order_reprice(
                    order_id=order.pk, actual_price=Decimal(100 + number), booster_price=Decimal(50),
                    reason="crossing", by=people.manager, idempotency_key=f"crossing.{next(_settlements)}",
                )  # fmt: skip


def test_the_ledger_of_two_orders_in_opposite_order_beside_their_prices() -> None:
    people = cast()
    one, two = people.order, order_of(people.client)
    at_once(
        [
            partial(ledger_of, [one, two]),
            partial(ledger_of, [two, one]),
            partial(prices_of, people, [one, two]),
            partial(prices_of, people, [two, one]),
        ]
    )
    dense_and_true([one, two])
    for order in (one, two):
        newest = Transaction.objects.filter(order=order, kind=Kind.PAYMENT).latest("id")
        state = Stream.objects.get(topic=f"order.{order.pk}").state or {}
        assert state["last_payment"]["id"] == newest.pk


def test_two_orders_released_in_opposite_order_are_released_once() -> None:
    people = cast()
    orders = [people.order, order_claim(order_id=order_of(people.client).pk, booster=people.booster)]
    keys = [order.pk for order in orders]

    def release(order_ids: list[int]) -> None:
        with suppress(OrderError):  # the other manager was first
            orders_release(order_ids=order_ids, by=people.manager)

    at_once([partial(release, keys), partial(release, keys[::-1])])
    dense_and_true(orders)
    assert [Event.objects.filter(topic=f"order.{key}", state__booster_id=None).count() for key in keys] == [2, 2]


def test_a_service_that_was_the_victim_of_a_deadlock_is_told_once() -> None:
    """Two hands that lock in opposite order: the database ends one of them, it tries again, nothing is lost."""
    people = cast()
    one, two = people.order, order_of(people.client)
    met, tries = Barrier(2, timeout=30), []

    def speak(first: BaseOrder, second: BaseOrder, name: str) -> None:
        @retry_on_deadlock
        @transaction.atomic
        def both() -> None:
            BaseOrder.objects.filter(pk=first.pk).update(message=f"{name} says so.")
            tries.append(name)
            if len(tries) <= 2:  # the first time, both hold one row before they want the other
                met.wait()
            BaseOrder.objects.filter(pk=second.pk).update(message=f"{name} says so.")

        both()

    at_once([partial(speak, one, two, "a"), partial(speak, two, one, "b")])
    assert len(tries) > 2
    dense_and_true([one, two])
    for order in (one, two):
        said = Event.objects.filter(topic=f"order.{order.pk}", state__message__endswith=" says so.")
        assert sorted(said.values_list("state__message", flat=True)) == ["a says so.", "b says so."]
