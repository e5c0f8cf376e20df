"""What is told to be due, step by step."""

from decimal import Decimal

import pytest

from accounts.models import Role
from accounts.tests.people import person
from orders.exceptions import (
    AtTheGoal,
    BadAmount,
    BadText,
    KeyMissing,
    KeyReused,
    NotAtTheGoal,
    OrderError,
    PriceMoved,
)
from orders.models import BaseOrder, Decision, Status
from orders.services import (
    order_claim,
    order_drop,
    order_extend,
    order_finish,
    order_release,
    order_report_progress,
    order_reprice,
)
from orders.signals import payment_due, payout_due, refund_due
from orders.tests.stairs import order_made, places, row

pytestmark = pytest.mark.django_db
KINDS = {"payment": payment_due, "payout": payout_due, "refund": refund_due}


@pytest.fixture
def due():
    told, notes = [], []
    for kind, signal in KINDS.items():

        def note(amount, order, booster=None, kind=kind, **_):
            told.append((kind, amount, *([booster] if booster else [])))

        signal.connect(note)
        notes.append(note)
    yield told
    for signal, note in zip(KINDS.values(), notes, strict=True):
        signal.disconnect(note)


@pytest.fixture
def booster():
    return person(Role.BOOSTER)


@pytest.fixture
def manager():
    return person(Role.MANAGER)


def played(booster, *, title="0 4 10"):
    return order_made(status=Status.CONTINUE, booster_id=booster.pk, title=title)


def reprice(order, price, payout, *, by, reason="A mistake.", key="one", seen=None):
    prices = {"actual_price": Decimal(price), "booster_price": Decimal(payout)}
    return order_reprice(order_id=order.pk, **prices, reason=reason, by=by, idempotency_key=key, seen=seen)


def test_an_order_is_paid_when_it_is_placed(due):
    order_made(goal=10)
    assert due == [("payment", Decimal(100))]


def test_a_booster_who_gives_up_is_paid_the_part_done_and_the_rest_is_on_offer(due, booster):
    order = played(booster)
    due.clear()
    order_release(order_id=order.pk, by=booster)
    order.refresh_from_db()
    assert due == [("payout", Decimal(28), booster)]
    assert (order.status, order.booster, order.booster_price, order.paid_out) == (Status.NEW, None, 42, 28)
    assert (order.actual_price, order.worked_price) == (100, 40)
    assert places(order) == [4, 4, 10]


def test_two_boosters_together_get_the_payout_that_was_agreed(due, booster):
    order, second = played(booster), person(Role.BOOSTER)
    order_release(order_id=order.pk, by=booster)
    order_claim(order_id=order.pk, booster=second)
    order_report_progress(order_id=order.pk, reached=10, by=second)
    due.clear()
    order_finish(order_id=order.pk, by=second)
    assert due == [("payout", Decimal(42), second)]


def test_a_booster_who_has_done_nothing_gets_nothing(due, booster):
    order = played(booster, title="0 0 10")
    due.clear()
    order_release(order_id=order.pk, by=booster)
    assert due == []


def test_at_the_goal_an_order_is_finished_not_released(due, booster, manager):
    order = played(booster, title="0 10 10")
    before = row(order)
    for by in (booster, manager):
        with pytest.raises(AtTheGoal, match="Finish it"):
            order_release(order_id=order.pk, by=by)
    assert row(order) == before


def test_a_booster_finishes_at_the_goal_only_and_a_manager_at_any_time(due, booster, manager):
    order = played(booster, title="0 9 10")
    with pytest.raises(NotAtTheGoal):
        order_finish(order_id=order.pk, by=booster)
    due.clear()
    order_finish(order_id=order.pk, by=manager)
    assert due == [("payout", Decimal(70), booster)]


def test_an_extended_order_that_is_at_the_goal_all_the_same_is_finished_by_its_booster(due, booster):
    """No service leads there; nothing else is left to him then (docs/adr/transition-table.md)."""
    order = played(booster, title="0 10 10")
    order_extend(order_id=order.pk, goal=12, by=order.client, idempotency_key="two")
    BaseOrder.objects.filter(pk=order.pk).update(title="0 10 10")
    with pytest.raises(AtTheGoal, match="Finish it"):
        order_report_progress(order_id=order.pk, reached=10, by=booster)
    with pytest.raises(AtTheGoal, match="Finish it"):
        order_release(order_id=order.pk, by=booster)
    due.clear()
    assert order_finish(order_id=order.pk, by=booster).status == Status.DONE
    assert due == [("payout", Decimal(84), booster)]


def test_a_client_who_drops_his_new_order_gets_everything_back(due):
    order = order_made()
    due.clear()
    order_drop(order_id=order.pk, by=order.client)
    assert due == [("refund", Decimal(100))]


def test_nobody_is_paid_for_a_new_order_that_is_dropped_although_somebody_was_chosen(due, booster):
    order = order_made(booster=booster)
    due.clear()
    order_drop(order_id=order.pk, by=order.client)
    assert due == [("refund", Decimal(100))]


def test_a_manager_who_drops_pays_the_part_done_and_refunds_the_rest(due, booster, manager):
    order = played(booster)
    due.clear()
    order_drop(order_id=order.pk, by=manager, reason="The account was sold.")
    assert due == [("payout", Decimal(28), booster), ("refund", Decimal(60))]
    assert Decision.objects.get().reason == "The account was sold."


def test_after_a_release_the_refund_is_what_no_booster_has_used_up(due, booster, manager):
    order, second = played(booster), person(Role.BOOSTER)
    order_release(order_id=order.pk, by=booster)
    order_claim(order_id=order.pk, booster=second)
    order_report_progress(order_id=order.pk, reached=7, by=second)
    due.clear()
    order_drop(order_id=order.pk, by=manager, reason="The account was sold.")
    assert due == [("payout", Decimal(21), second), ("refund", Decimal(30))]


def test_an_extension_is_paid_and_raises_both_prices_once(due, booster):
    order = played(booster)
    due.clear()
    for _ in range(2):
        order_extend(order_id=order.pk, goal=12, by=order.client, idempotency_key="one")
    order.refresh_from_db()
    assert due == [("payment", Decimal(20))]
    assert (order.status, order.actual_price, order.booster_price) == (Status.EXTEND, 120, 84)
    assert order_report_progress(order_id=order.pk, reached=5, by=booster).status == Status.CONTINUE


def test_an_extension_beyond_what_a_price_can_hold_is_refused(booster):
    order = played(booster)
    before = row(order)
    with pytest.raises(BadAmount):
        order_extend(order_id=order.pk, goal=10**7 + 10, by=order.client, idempotency_key="one")
    assert row(order) == before


@pytest.mark.parametrize(("price", "told"), [("120.00", [("payment", 20)]), ("80.00", [("refund", 20)]), ("100", [])])
def test_the_difference_of_a_new_price_is_paid_or_given_back_at_once(due, manager, price, told):
    order = order_made()
    due.clear()
    reprice(order, price, 50, by=manager)
    assert due == told
    order.refresh_from_db()
    assert (order.actual_price, order.booster_price) == (Decimal(price), 50)
    assert Decision.objects.get().by == manager


def test_a_new_price_that_is_sent_twice_is_one_decision(due, manager):
    order = order_made()
    due.clear()
    for _ in range(2):
        reprice(order, 120, 70, by=manager)
    assert due == [("payment", 20)]
    assert Decision.objects.count() == 1


def test_a_price_is_not_set_back_by_an_old_request_that_comes_again(due, manager):
    order = order_made()
    reprice(order, 120, 70, by=manager)
    reprice(order, 110, 60, by=manager, key="two")
    reprice(order, 120, 70, by=manager)
    order.refresh_from_db()
    assert (order.actual_price, order.booster_price) == (110, 60)


def test_a_key_stands_for_one_new_price(manager):
    order = order_made()
    reprice(order, 120, 70, by=manager)
    with pytest.raises(KeyReused):
        reprice(order, 130, 70, by=manager)
    with pytest.raises(KeyMissing):
        reprice(order, 130, 70, by=manager, key="")


@pytest.mark.parametrize("which", ["actual_price", "booster_price"])
@pytest.mark.parametrize("value", ["-1", "NaN", "sNaN", "Infinity", "0.001", "1e8", "1e999"])
def test_a_price_that_is_no_amount_is_refused_and_nothing_changes(due, manager, which, value):
    order = order_made()
    due.clear()
    before = row(order)
    prices = {"actual_price": Decimal(90), "booster_price": Decimal(60)} | {which: Decimal(value)}
    with pytest.raises(BadAmount):
        reprice(order, *prices.values(), by=manager)
    assert row(order) == before
    assert not due
    assert not Decision.objects.exists()


def test_the_price_cannot_fall_below_the_work_that_is_settled(booster, manager):
    order = played(booster)
    order_release(order_id=order.pk, by=booster)
    with pytest.raises(BadAmount, match=r"Work for 40\.00"):
        reprice(order, "39.99", 1, by=manager)


def test_prices_that_have_moved_are_not_set_over_the_head_of_who_decides(due, booster, manager):
    order = played(booster)
    order_extend(order_id=order.pk, goal=15, by=order.client, idempotency_key="more")
    before = row(order)
    due.clear()
    with pytest.raises(PriceMoved, match=r"is at 150\.00 and 105\.00 by now\. Look at both"):
        reprice(order, 100, 75, by=manager, seen=(Decimal(100), Decimal(70)))
    assert (row(order), due, Decision.objects.count()) == (before, [], 0)
    reprice(order, 150, 110, by=manager, seen=(Decimal(150), Decimal(105)))
    assert due == []


def test_a_new_price_that_is_sent_again_is_answered_whatever_was_seen(manager):
    order = order_made()
    reprice(order, 120, 70, by=manager, seen=(Decimal(100), Decimal(70)))
    assert reprice(order, 120, 70, by=manager, seen=(Decimal(100), Decimal(70))).actual_price == 120
    assert reprice(order, 120, 70, by=manager).actual_price == 120


def test_a_payout_for_all_of_the_way_is_not_promised_for_the_rest_of_it(booster, manager):
    order = played(booster)
    order_release(order_id=order.pk, by=booster)
    order_claim(order_id=order.pk, booster=person(Role.BOOSTER))
    before = row(order)
    with pytest.raises(BadAmount, match=r"Boosters have 28\.00 of this order; with 75\.00 more"):
        reprice(order, 100, 75, by=manager)
    assert row(order) == before
    reprice(order, 100, 72, by=manager)


def test_a_loss_that_is_there_may_become_smaller_and_not_larger(manager):
    order = order_made(booster_price=130)
    reprice(order, 100, 120, by=manager)
    with pytest.raises(BadAmount):
        reprice(order, 100, 121, by=manager, key="two")
    reprice(order, 110, 130, by=manager, key="three")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\x00b", "\ud800", None, 7])
def test_staff_gives_a_reason_in_words(booster, manager, reason):
    order = played(booster)
    before = row(order)
    with pytest.raises(BadText):
        order_drop(order_id=order.pk, by=manager, reason=reason)
    with pytest.raises(BadText):
        reprice(order, 1, 1, by=manager, reason=reason)
    assert row(order) == before


def test_the_game_refuses_to_go_back(booster):
    order = played(booster)
    before = row(order)
    for place in (4, 3, 11):
        with pytest.raises(OrderError):
            order_report_progress(order_id=order.pk, reached=place, by=booster)
    assert row(order) == before


def test_a_receiver_that_fails_rolls_everything_back(booster):
    order = played(booster, title="0 10 10")
    before = row(order)

    def break_down(**_):
        raise RuntimeError("the ledger is away")

    payout_due.connect(break_down)
    try:
        with pytest.raises(RuntimeError):
            order_finish(order_id=order.pk, by=booster)
    finally:
        payout_due.disconnect(break_down)
    assert row(order) == before
    assert BaseOrder.objects.get(pk=order.pk).status == Status.CONTINUE
