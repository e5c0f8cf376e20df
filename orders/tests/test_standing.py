"""Who was disabled, or lost his role, while he waited for an order's lock does nothing to it any more."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Event

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Role, User
from accounts.tests.people import person
from orders.exceptions import NotAllowed, OrderError, OrderNotFound, OrderTaken, WrongRole
from orders.locks import order_lock
from orders.models import BaseOrder, Status
from orders.options import Options
from orders.services import order_assign, order_claim, order_create, order_pause, order_release, order_reprice
from orders.tests.stairs import order_made, row
from orders.tests.threads import PATIENCE, at_once, racing

ENDINGS = {"disabled": {"is_active": False}, "demoted": {"role": Role.CLIENT}}
either = pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
pytestmark = [racing, pytest.mark.django_db(transaction=True)]


def ended(user, ending):
    return lambda: User.objects.filter(pk=user.pk).update(**ending)


def played(booster):
    return order_made(status=Status.CONTINUE, booster_id=booster.pk, title="0 5 10")


def reprice(order, by):
    return lambda: order_reprice(
        order_id=order.pk,
        actual_price=Decimal("120.00"),
        booster_price=Decimal("60.00"),
        reason="agreed",
        by=by,
        idempotency_key="reprice",
    )


@either
@pytest.mark.parametrize("step", ["reprice", "pause", "release", "release with a key"])
def test_a_manager_who_lost_his_right_while_he_waited_changes_nothing(step, ending):
    manager, order = person(Role.MANAGER), played(person(Role.BOOSTER))
    before = row(order)
    call = {
        "reprice": reprice(order, manager),
        "pause": lambda: order_pause(order_id=order.pk, by=manager),
        "release": lambda: order_release(order_id=order.pk, by=manager),
        "release with a key": lambda: order_release(order_id=order.pk, by=manager, idempotency_key="once"),
    }[step]
    (refusal,) = at_once(call, behind=order, meanwhile=ended(manager, ending))
    assert isinstance(refusal, OrderError)
    assert row(order) == before


@either
def test_a_booster_who_lost_his_right_while_he_waited_gets_no_order(ending):
    booster, order = person(Role.BOOSTER), order_made()
    (refusal,) = at_once(
        lambda: order_claim(order_id=order.pk, booster=booster), behind=order, meanwhile=ended(booster, ending)
    )
    assert isinstance(refusal, OrderTaken)
    assert row(order)["booster_id"] is None


@either
def test_a_booster_who_is_disabled_while_he_is_assigned_gets_no_order(ending):
    manager, booster, order = person(Role.MANAGER), person(Role.BOOSTER), order_made()
    (refusal,) = at_once(
        lambda: order_assign(order_id=order.pk, booster=booster, by=manager),
        behind=order,
        meanwhile=ended(booster, ending),
    )
    assert isinstance(refusal, WrongRole)
    assert row(order)["booster_id"] is None


@pytest.mark.parametrize("ending", [{"is_active": False}, {"role": Role.BOOSTER}], ids=["disabled", "another role"])
def test_a_client_who_lost_his_right_while_he_waited_buys_nothing(ending):
    client = person(Role.CLIENT)
    (refusal,) = at_once(lambda: order_made(client=client, key="once"), behind=client, meanwhile=ended(client, ending))
    assert isinstance(refusal, NotAllowed)
    assert not BaseOrder.objects.exists()


def test_who_was_deleted_meanwhile_is_a_stranger():
    manager, order = person(Role.MANAGER), order_made()
    User.objects.filter(pk=manager.pk).delete()
    with pytest.raises(OrderNotFound):
        order_pause(order_id=order.pk, by=manager)


def test_whoever_disables_somebody_waits_for_the_step_that_he_is_at():
    manager, order = person(Role.MANAGER), order_made()
    done = Event()

    def disable():
        try:
            ended(manager, ENDINGS["disabled"])()
            done.set()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            order_lock(order_id=order.pk, by=manager)
            waits = pool.submit(disable)
            waiting_is_seen()
            assert not done.is_set()
        waits.result(PATIENCE)
    assert done.is_set()


def waiting_is_seen():
    with connection.cursor() as cursor:
        for _ in range(PATIENCE * 100):
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
            Event().wait(0.01)
    raise TimeoutError("nobody waits")


def test_no_row_is_locked_of_a_wished_booster_who_is_none():
    client, other = person(Role.CLIENT), person(Role.CLIENT)
    with CaptureQueriesContext(connection) as queries, pytest.raises(WrongRole):
        order_create(
            client=client, game="stairs", title="0 0 10", actual_price=Decimal(100), booster_price=Decimal(70),
            options=Options(), note="", booster=other, idempotency_key="once", content=10,
        )  # fmt: skip
    assert sum("FOR NO KEY UPDATE" in query["sql"] for query in queries) == 1, "two clients who wish each other"
