"""Who opens a dispute, who sees what of it, and who decides it: one at a time, and once."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Role
from accounts.tests.people import person
from orders.disputes import disputes_for
from orders.exceptions import AlreadyDisputed, BadText, KeyReused, NotAllowed, NotDisputed, OrderNotFound
from orders.models import BaseOrder, Dispute, Status
from orders.services import order_claim, order_dispute, order_finish, order_release, order_resolve
from orders.tests.stairs import order_made
from orders.tests.threads import at_once, racing
from wallet.tests.disputed import disputed, fresh, held, resolve, rows

pytestmark = pytest.mark.django_db


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
