from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError, connection, transaction
from django.test import Client

from accounts.models import Role
from accounts.tests.people import person
from orders.exceptions import OrderNotFound, WrongStatus
from orders.locks import order_lock, retry_on_deadlock
from orders.models import BaseOrder, Status
from orders.selectors import Visitor, order_audience, seen_by
from orders.services import orders_release
from orders.tests.stairs import order_made, row
from orders.tests.threads import PATIENCE, at_once, racing


def played(booster):
    return order_made(status=Status.CONTINUE, booster_id=booster.pk, title="0 5 10")


@racing
@pytest.mark.django_db(transaction=True)
def test_the_victim_of_a_deadlock_tries_again_and_both_succeed():
    one, two = order_made().pk, order_made().pk
    crossed = Barrier(2, timeout=30)
    tries = []

    def lock_both(first, second):
        manager = person(Role.MANAGER)

        @retry_on_deadlock
        @transaction.atomic
        def service():
            tries.append(first)
            order_lock(order_id=first, by=manager)
            if len(tries) <= 2:  # the first time, both hold one row before they want the other
                crossed.wait()
            order_lock(order_id=second, by=manager)
            return "both"

        return service

    assert at_once(lock_both(one, two), lock_both(two, one)) == ["both", "both"]
    assert len(tries) >= 3, "nobody was a victim"


@pytest.mark.django_db(transaction=True)
def test_other_database_errors_are_not_tried_again():
    tries = []

    @retry_on_deadlock
    def service():
        tries.append(1)
        raise OperationalError("the disk is full")

    with pytest.raises(OperationalError):
        service()
    assert len(tries) == 1


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_ends_the_third_try_and_any_outer_transaction():
    class Deadlock(Exception):
        sqlstate = "40P01"

    tries = []

    @retry_on_deadlock
    def service():
        tries.append(1)
        raise OperationalError from Deadlock()

    with pytest.raises(OperationalError):
        service()
    assert len(tries) == 3
    with pytest.raises(OperationalError), transaction.atomic():
        service()
    assert len(tries) == 4


@racing
@pytest.mark.django_db(transaction=True)
def test_two_managers_release_the_same_orders_in_opposite_order():
    booster, manager = person(Role.BOOSTER), person(Role.MANAGER)
    keys = [played(booster).pk for _ in range(6)]
    results = at_once(
        lambda: orders_release(order_ids=keys, by=manager), lambda: orders_release(order_ids=keys[::-1], by=manager)
    )
    assert {type(result) for result in results} == {list, WrongStatus}
    assert set(BaseOrder.objects.values_list("status", flat=True)) == {Status.NEW}


@racing
@pytest.mark.django_db(transaction=True)
def test_a_stranger_does_not_wait_for_a_row_that_somebody_holds():
    order = played(person(Role.BOOSTER))
    browsers = {role: Client() for role in (Role.CLIENT, Role.BOOSTER)}
    for role, browser in browsers.items():
        browser.force_login(person(role))

    def knock(role, verb):
        try:
            return browsers[role].post(f"/api/orders/{order.pk}/{verb}").json()["error"]["code"]
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        order_lock(order_id=order.pk, by=order.client)
        for role in browsers:
            for verb in ("pause", "release", "account/read"):
                assert pool.submit(knock, role, verb).result(PATIENCE) == "order_not_found"
        assert pool.submit(knock, Role.BOOSTER, "claim").result(PATIENCE) == "order_taken"


@pytest.mark.django_db
def test_the_condition_of_a_lock_and_the_audience_of_a_viewer_are_the_same():
    client, booster = person(Role.CLIENT), person(Role.BOOSTER)
    made = [order_made(client=client, status=status, booster_id=booster.pk) for status in Status]
    made += [order_made(client=client, status=status) for status in (Status.NEW, Status.DROPPED)]
    others = [person(role) for role in Role]
    viewers: list[Visitor] = [client, booster, *others, person(Role.MANAGER, is_active=False), AnonymousUser()]
    for viewer in viewers:
        seen = set(BaseOrder.objects.filter(seen_by(viewer)).values_list("pk", flat=True))
        assert seen == {order.pk for order in made if order_audience(viewer, order)}


@pytest.mark.django_db
def test_several_orders_are_released_all_or_none():
    booster = person(Role.BOOSTER)
    mine, foreign = played(booster), played(person(Role.BOOSTER))
    before = row(mine), row(foreign)
    with pytest.raises(OrderNotFound):
        orders_release(order_ids=[mine.pk, foreign.pk], by=booster)
    assert (row(mine), row(foreign)) == before
    assert len(orders_release(order_ids=[mine.pk, mine.pk], by=booster)) == 1


@racing
@pytest.mark.django_db
def test_the_order_row_is_locked_first_then_that_of_who_asks(django_assert_num_queries):
    order, manager = order_made(booster=person(Role.BOOSTER)), person(Role.MANAGER)
    with django_assert_num_queries(2) as queries:
        order_lock(order_id=order.pk, by=manager)
    assert 'FOR NO KEY UPDATE OF "orders_baseorder"' in queries[0]["sql"]
    assert f'"accounts_user"."id" = {manager.pk}' in queries[1]["sql"]
    assert queries[1]["sql"].endswith("FOR NO KEY UPDATE")
    assert connection.in_atomic_block
