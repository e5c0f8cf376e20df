"""Every step of an order is an event, with what the game and the ledger say about it."""

from decimal import Decimal

import pytest

from accounts.models import Role
from accounts.tests.people import person
from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_create, division_order_extend, division_order_report
from orders.options import Options
from orders.services import order_claim, order_drop, order_finish, order_release, order_reprice, order_write_note
from realtime.models import Event
from wallet.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


def newest(order_id):
    """Return version and state of the newest event."""
    event = Event.objects.filter(topic=f"order.{order_id}").latest("version")
    return event.version, event.state


def test_an_order_from_placing_to_done():
    client, booster, manager = person(Role.CLIENT), person(Role.BOOSTER), person(Role.MANAGER)
    order_id = division_order_create(
        client=client,
        current=Position("Gold", 1),
        desired=Position("Gold", 3),
        options=Options(),
        idempotency_key="one",
    ).order_id
    version, state = newest(order_id)
    assert (version, state["status"], state["progress"], state["reached_rank"]) == (1, "New", 0, "Gold")
    payment = Transaction.objects.get()
    assert (state["last_payment"]["id"], Decimal(state["last_payment"]["amount"])) == (payment.pk, Decimal("21.60"))
    assert state["last_payout"] is None

    order_claim(order_id=order_id, booster=booster)
    version, state = newest(order_id)
    assert (version, state["status"], state["booster_username"]) == (2, "Continue", booster.username)

    division_order_report(order_id=order_id, reached=Position("Gold", 2, 3), by=booster)
    version, state = newest(order_id)
    assert (version, state["progress"], state["reached_division"], state["reached_marks"]) == (3, 75, 2, 3)

    division_order_extend(order_id=order_id, desired=Position("Platinum", 1), by=client, idempotency_key="two")
    version, state = newest(order_id)
    assert (version, state["status"], Decimal(state["actual_price"])) == (4, "Extend", Decimal("43.20"))
    assert Decimal(state["last_payment"]["amount"]) == Decimal("21.60")
    assert state["last_payment"]["id"] != payment.pk

    order_release(order_id=order_id, by=booster)
    version, state = newest(order_id)
    assert (version, state["status"], state["progress"], state["booster_id"]) == (5, "New", 0, None)
    assert state["last_payout"] is None, "the next booster does not see what his predecessor got"
    paid_out = Transaction.objects.get(kind="payout").amount
    assert paid_out + Decimal(state["booster_price"]) == Decimal("30.24")

    order_write_note(order_id=order_id, note="After six.", by=client)
    order_reprice(
        order_id=order_id,
        actual_price=Decimal(50),
        booster_price=Decimal(30),
        reason="A mistake.",
        by=manager,
        idempotency_key="a mistake",
    )
    order_claim(order_id=order_id, booster=booster)
    division_order_report(order_id=order_id, reached=Position("Platinum", 1), by=booster)
    order_finish(order_id=order_id, by=booster)
    version, state = newest(order_id)
    assert (version, state["status"], state["progress"], state["note"]) == (10, "Done", 100, "After six.")
    assert Decimal(state["last_payout"]["amount"]) == 30


def test_a_refused_step_is_no_event_and_a_dropped_order_is_one():
    client = person(Role.CLIENT)
    order_id = division_order_create(
        client=client,
        current=Position("Iron", 1),
        desired=Position("Iron", 2),
        options=Options(),
        idempotency_key="one",
    ).order_id
    with pytest.raises(Exception, match="no order"):
        order_drop(order_id=order_id, by=person(Role.CLIENT))
    assert newest(order_id)[0] == 1
    order_drop(order_id=order_id, by=client)
    version, state = newest(order_id)
    assert (version, state["status"], state["message"]) == (2, "Dropped", "The order was dropped.")
