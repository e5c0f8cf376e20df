"""While an order is disputed no payout is written; a manager decides once what becomes of those that were held."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Role
from accounts.tests.people import person
from orders.disputes import disputes_for
from orders.exceptions import (
    AlreadyDisputed,
    BadText,
    KeyReused,
    NotAllowed,
    NotDisputed,
    NothingHeld,
    OrderNotFound,
    PayoutTooHigh,
)
from orders.models import BaseOrder, Dispute, HeldPayout, Status
from orders.services import (
    order_claim,
    order_dispute,
    order_drop,
    order_finish,
    order_release,
    order_report_progress,
    order_reprice,
    order_resolve,
)
from orders.settlements import settle
from orders.tests.stairs import order_made
from orders.tests.threads import at_once, racing
from wallet.exceptions import PayoutsHeld
from wallet.models import Transaction
from wallet.selectors import order_books
from wallet.services import payout_post

pytestmark = pytest.mark.django_db


def disputed(title="0 4 10"):
    """An order of 100.00, 70.00 of it for the booster, of which the client says that something is wrong."""
    order = order_made(status=Status.CONTINUE, booster_id=person(Role.BOOSTER).pk, title=title)
    return order_dispute(order_id=order.pk, by=order.client, reason="It went down.")


def resolve(order, outcome, *, by=None, key="", reason="Looked at."):
    return order_resolve(
        order_id=order.pk, outcome=outcome, reason=reason, by=by or person(Role.MANAGER), idempotency_key=key
    )


def rows(order, kind):
    return list(Transaction.objects.filter(order=order, kind=kind).order_by("id").values_list("user", "amount"))


def held(order):
    return list(HeldPayout.objects.filter(dispute__order=order, outcome="").values_list("booster", "amount", "price"))


def fresh(order):
    return BaseOrder.objects.get(pk=order.pk)


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


def test_where_nothing_was_done_nothing_is_held():
    order = disputed("0 0 10")
    order_release(order_id=order.pk, by=order.booster)
    assert held(order) == []


def test_a_dispute_that_was_not_read_is_not_decided():
    order = disputed()
    first = order.disputes.get().pk
    resolve(order, "paid", reason="Nothing is wrong.")
    order_dispute(order_id=order.pk, by=order.client, reason="He cheats.")
    second = order.disputes.get(outcome="").pk
    order_finish(order_id=order.pk, by=person(Role.MANAGER))
    with pytest.raises(NotDisputed, match=r"has another dispute by now\. Read it first\."):
        order_resolve(order_id=order.pk, dispute=first, outcome="paid", reason="Fine.", by=person(Role.MANAGER))
    assert fresh(order).disputed
    assert rows(order, "payout") == []
    order_resolve(order_id=order.pk, dispute=second, outcome="paid", reason="Fine.", by=person(Role.MANAGER))
    assert rows(order, "payout") == [(order.booster_id, 70)]


def test_one_dispute_at_a_time_with_a_reason():
    order = disputed()
    with pytest.raises(AlreadyDisputed):
        order_dispute(order_id=order.pk, by=person(Role.MANAGER), reason="Again.")
    with pytest.raises(IntegrityError), transaction.atomic():
        Dispute.objects.create(order=order, by=order.client, reason="Past the services.")
    other = order_made(status=Status.CONTINUE, booster_id=order.booster_id)
    with pytest.raises(BadText):
        order_dispute(order_id=other.pk, by=other.client, reason=" ")
    with pytest.raises(BadText):
        resolve(order, "paid", reason="")
    with pytest.raises(BadText):
        resolve(order, "given to charity")


def test_neither_booster_nor_stranger_opens_or_resolves_one():
    order = disputed()
    with pytest.raises(NotAllowed):
        order_dispute(order_id=order.pk, by=order.booster, reason="He is rude.")
    for by in (order.client, order.booster):
        with pytest.raises(NotAllowed):
            resolve(order, "paid", by=by)
    with pytest.raises(OrderNotFound):
        resolve(order, "paid", by=person(Role.CLIENT))


def test_who_sees_what_of_a_dispute():
    order = disputed()
    order_finish(order_id=order.pk, by=person(Role.MANAGER))
    seen = {
        who: (sight.reason, sight.held)
        for who, by in {"client": order.client, "booster": order.booster, "manager": person(Role.MANAGER)}.items()
        for sight in disputes_for(by, order)
    }
    assert seen == {
        "client": ("It went down.", None),
        "booster": (None, Decimal(70)),
        "manager": ("It went down.", Decimal(70)),
    }
    assert disputes_for(person(Role.BOOSTER), order) == []
    assert disputes_for(person(Role.CLIENT), order) == []


def test_a_booster_does_not_see_the_disputes_of_his_predecessor():
    order = disputed()
    first, second = order.booster, person(Role.BOOSTER)
    order_release(order_id=order.pk, by=first)
    resolve(order, "refunded")
    order_claim(order_id=order.pk, booster=second)
    assert disputes_for(second, fresh(order)) == []
    order_dispute(order_id=order.pk, by=order.client, reason="Again.")
    (sight,) = disputes_for(second, fresh(order))
    assert sight.is_open
    assert len(disputes_for(order.client, fresh(order))) == 2
    order_release(order_id=order.pk, by=second)
    resolve(order, "paid")
    order_claim(order_id=order.pk, booster=first)
    assert [sight.outcome for sight in disputes_for(first, fresh(order))] == ["refunded"]


def test_a_prospect_learns_of_the_flag_and_of_nothing_else():
    order = disputed()
    order_release(order_id=order.pk, by=order.booster)
    assert disputes_for(person(Role.BOOSTER), fresh(order)) == []


def test_a_resolution_sent_again_is_answered_and_not_repeated():
    order, manager = disputed(), person(Role.MANAGER)
    order_finish(order_id=order.pk, by=manager)
    for _ in range(3):
        assert resolve(order, "paid", by=manager, key="one").pk == order.pk
    assert rows(order, "payout") == [(order.booster_id, 70)]
    with pytest.raises(KeyReused):
        resolve(order, "refunded", by=manager, key="one")


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


@racing
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", ["", "one"])
def test_eight_who_resolve_at_once_move_the_money_once(key):
    order, manager = disputed("0 10 10"), person(Role.MANAGER)
    order_finish(order_id=order.pk, by=order.booster)
    results = at_once(*[lambda: resolve(order, "paid", by=manager, key=key)] * 8, behind=order)
    won = [result for result in results if isinstance(result, BaseOrder)]
    assert len(won) == (8 if key else 1)
    assert {type(result) for result in results} <= {BaseOrder, NotDisputed}
    assert rows(order, "payout") == [(order.booster_id, 70)]


@racing
@pytest.mark.django_db(transaction=True)
def test_paying_out_and_refunding_at_once_is_one_of_them():
    order = disputed("0 10 10")
    order_finish(order_id=order.pk, by=order.booster)
    managers = [person(Role.MANAGER) for _ in range(6)]
    at_once(
        *[
            lambda by=by, outcome=outcome: resolve(order, outcome, by=by)
            for by, outcome in zip(managers, ["paid", "refunded"] * 3, strict=True)
        ],
        behind=order,
    )
    assert len(rows(order, "payout")) + len(rows(order, "refund")) == 1
    assert Dispute.objects.exclude(outcome="").count() == 1


@racing
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(4))
def test_a_dispute_and_a_finish_at_once_hold_the_payout_or_come_too_late(round_):
    order = order_made(status=Status.CONTINUE, booster_id=person(Role.BOOSTER).pk, title="0 10 10")
    opened, finished = at_once(
        lambda: order_dispute(order_id=order.pk, by=order.client, reason="Wrong."),
        lambda: order_finish(order_id=order.pk, by=order.booster),
        behind=order,
    )
    assert isinstance(finished, BaseOrder)
    paid, kept = rows(order, "payout"), held(order)
    assert len(paid) + len(kept) == 1
    assert bool(kept) == isinstance(opened, BaseOrder) == fresh(order).disputed


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


def test_a_settlement_without_money_tells_nothing():
    order = disputed()
    before = order.settlement
    settle(order)
    assert order.settlement == before
