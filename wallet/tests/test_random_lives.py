"""Random lives of orders: whatever client, boosters and managers do, the money adds up and nobody loses any."""

import re
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from accounts.models import Role
from accounts.tests.people import person
from orders.exceptions import OrderError, PayoutTooHigh
from orders.models import ENDED, BaseOrder, Dispute, HeldPayout, Status
from orders.money import CENT, loss_of
from orders.services import (
    order_claim,
    order_dispute,
    order_drop,
    order_extend,
    order_finish,
    order_release,
    order_report_progress,
    order_reprice,
    order_resolve,
)
from orders.tests.stairs import order_made, places
from wallet.models import Transaction
from wallet.selectors import order_books

pytestmark = pytest.mark.django_db

# More of what leads to payouts that are held while the prices change than of what ends that.
STEPS = [*["play"] * 4, *["release"] * 3, *["reprice"] * 3, *["dispute"] * 2, "refunded", "refunded", "paid", "extend"]
ENDS = ["finish", "drop"]
_keys = count(1)


@dataclass(frozen=True)
class Act:
    """One try. ``price`` is in cents, ``share`` a percentage of what may still be promised at that price.

    To ``play`` is to claim an order that is New, and to climb one step or more of another.
    """

    verb: str
    booster: int = 0
    price: int = 100_00
    share: int = 100


def acts(*verbs: str) -> st.SearchStrategy[Act]:
    shares = st.sampled_from([0, 60, 99, 100, 100, 105])
    return st.builds(Act, st.sampled_from(verbs), st.integers(0, 2), st.integers(0, 250_00), shares)


lives = st.builds(
    lambda *parts: [act for part in parts for act in part],
    st.sampled_from([[], [Act("play"), Act("play"), Act("dispute")]]),
    st.lists(acts(*STEPS), min_size=6, max_size=20),
    st.lists(acts(*ENDS), max_size=1),
    st.lists(acts("paid", "refunded"), max_size=2),
)
MARGIN_PROMISED_THEN_REFUNDED = [
    Act("play"),
    Act("play", booster=2),
    Act("dispute"),
    Act("release"),
    Act("reprice"),
    Act("refunded"),
]


@pytest.fixture
def people() -> SimpleNamespace:
    boosters = [person(Role.BOOSTER) for _ in range(3)]
    return SimpleNamespace(client=person(Role.CLIENT), manager=person(Role.MANAGER), boosters=boosters)


def fresh(order: BaseOrder) -> BaseOrder:
    return BaseOrder.objects.get(pk=order.pk)


def loss(order: BaseOrder) -> Decimal:
    return loss_of(price=order.actual_price, paid_out=order.paid_out, payout=order.booster_price)


def attempt(act: Act, order: BaseOrder, people: SimpleNamespace) -> None:
    """Do ``act``, or be refused."""
    chosen = people.boosters[act.booster]
    booster = order.booster or chosen
    _, reached, goal = places(order)
    match act.verb:
        case "play" if order.status == Status.NEW:
            order_claim(order_id=order.pk, booster=chosen)
        case "play":
            order_report_progress(order_id=order.pk, reached=reached + 1 + act.booster, by=booster)
        case "release":
            order_release(order_id=order.pk, by=booster)
        case "extend":
            order_extend(order_id=order.pk, goal=goal + 1, by=order.client, idempotency_key=f"life.{next(_keys)}")
        case "reprice":
            price = act.price * CENT
            reprice(order, price, (max(price - order.paid_out, Decimal(0)) * act.share / 100).quantize(CENT), people)
        case "finish":
            order_finish(order_id=order.pk, by=people.manager)
        case "drop":
            order_drop(order_id=order.pk, by=people.manager, reason="Asked.")
        case "dispute":
            order_dispute(order_id=order.pk, by=order.client, reason="It went down.")
        case "paid" | "refunded":
            resolve(order, act.verb, people)


def reprice(order: BaseOrder, price: Decimal, payout: Decimal, people: SimpleNamespace) -> None:
    prices: Any = {"actual_price": price, "booster_price": payout}
    key = f"life.{next(_keys)}"
    order_reprice(order_id=order.pk, **prices, reason="Looked at.", by=people.manager, idempotency_key=key)


def resolve(order: BaseOrder, outcome: str, people: SimpleNamespace) -> None:
    """Decide the dispute; where a refund is refused, do what the refusal says, and refund."""
    asked: Any = {"order_id": order.pk, "outcome": outcome, "reason": "Looked at.", "by": people.manager}
    try:
        order_resolve(**asked)
    except PayoutTooHigh as refusal:
        assert order.status not in ENDED, "nobody could lower anything: the dispute would stay open for ever"
        (most,) = re.findall(r"to ([\d.]+) or less, then refund", str(refusal))
        reprice(order, order.actual_price, Decimal(most), people)
        order_resolve(**asked)


def check_the_books(order: BaseOrder) -> None:
    """By the ledger: what the client paid is what boosters have, what is held for them, and the margin."""
    books = order_books(order)
    waiting = [row for row in HeldPayout.objects.filter(dispute__order=order) if not row.outcome]
    pays, get = books.payments - books.refunds, books.payouts + sum(row.amount for row in waiting)
    agreed = order.paid_out + order.booster_price
    assert pays == (order.worked_price if order.status == Status.DROPPED else order.actual_price)
    assert order.status in ENDED or get == order.paid_out
    assert order.status != Status.DONE or get == agreed
    assert get <= agreed
    assert min(order.booster_price, order.paid_out, order.worked_price, order.actual_price - order.worked_price) >= 0
    assert order.disputed == Dispute.objects.filter(order=order, outcome="").exists()
    assert order.disputed or not waiting


def check_whose_money_it_is(order: BaseOrder, people: SimpleNamespace) -> None:
    rows = Transaction.objects.filter(order=order)
    sums = {(row["user"], row["kind"]): row["sum"] for row in rows.values("user", "kind").annotate(sum=Sum("amount"))}
    boosters = {booster.pk for booster in people.boosters}
    assert {user for user, kind in sums if kind != "payout"} <= {order.client_id}
    assert {user for user, kind in sums if kind == "payout"} <= boosters
    assert min(sums.values()) > 0


# A life of twenty acts takes a fifth of a second: it is short enough to be read, and not shrunk for minutes.
bounded = settings(
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


@settings(bounded, max_examples=60)
@example(life=MARGIN_PROMISED_THEN_REFUNDED)
@given(life=lives)
def test_whatever_happens_the_money_adds_up(people: SimpleNamespace, life: list[Act]) -> None:
    live(people, life)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(bounded, max_examples=1000)
@given(life=lives)
def test_whatever_happens_the_money_adds_up_a_thousand_times(people: SimpleNamespace, life: list[Act]) -> None:
    live(people, life)


def live(people: SimpleNamespace, life: list[Act]) -> None:
    order = order_made(client=people.client, goal=12)
    for act in life:
        with suppress(OrderError):
            attempt(act, order, people)
        order = fresh(order)
        check_the_books(order)
        books = order_books(order)
        assert books.payouts <= books.payments - books.refunds, "boosters have more than the client pays"
        assert order.status in ENDED or not loss(order), "boosters are promised more than the client pays"
    check_whose_money_it_is(order, people)


@settings(bounded, max_examples=15)
@given(life=lives, payout=st.integers(120_01, 250_00))
def test_a_loss_that_an_order_begins_with_does_not_grow(people: SimpleNamespace, life: list[Act], payout: int) -> None:
    order = order_made(client=people.client, goal=12, booster_price=payout * CENT)
    for act in life:
        before = loss(order)
        with suppress(OrderError):
            attempt(act, order, people)
        order = fresh(order)
        check_the_books(order)
        # Where nothing is promised any more, the client's money is given back whatever boosters have had.
        is_free = act.verb == "refunded" and not order.booster_price
        assert order.status in ENDED or is_free or loss(order) <= before
