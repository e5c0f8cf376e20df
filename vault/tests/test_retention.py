"""Account data goes some days after the end; who has read it stays written."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from axes.models import AccessAttempt
from django.contrib.admin.sites import site
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Role
from accounts.tests.people import person
from orders.models import BaseOrder, Status
from orders.services import order_drop, order_finish
from orders.tests.threads import racing
from vault.exceptions import AppendOnly
from vault.models import GameAccount, Reading
from vault.services import account_read
from vault.tests.cast import given, played

pytestmark = pytest.mark.django_db


def counted(**options):
    """Run the command; return how much account data, how many addresses and how many failed log-ins have gone."""
    out = StringIO()
    call_command("vault_erase", stdout=out, **options)
    return [int(number) for number in re.findall(r": (\d+)\.", out.getvalue())]


def erased(**options):
    return counted(**options)[0]


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def test_it_goes_when_the_order_is_over_since_so_many_days(settings):
    settings.ACCOUNT_DAYS = 7
    manager = person(Role.MANAGER)
    done, dropped, fresh, running = (played() for _ in range(4))
    for order in (done, dropped, fresh, running):
        given(order)
    order_finish(order_id=done.pk, by=manager)
    order_drop(order_id=dropped.pk, by=manager, reason="Asked.")
    order_finish(order_id=fresh.pk, by=manager)
    BaseOrder.objects.filter(pk__in=[done.pk, dropped.pk]).update(ended_at=days_ago(8))
    assert erased(batch=1) == 2
    assert set(GameAccount.objects.values_list("order", flat=True)) == {fresh.pk, running.pk}
    assert erased() == 0
    assert erased(days=0) == 1
    assert GameAccount.objects.get().order == running


@racing
def test_the_rows_are_locked_in_key_order_before_they_go():
    order = played()
    given(order)
    BaseOrder.objects.filter(pk=order.pk).update(status=Status.DONE, ended_at=days_ago(8))
    with CaptureQueriesContext(connection) as queries:
        assert erased(days=7) == 1
    first = next(query["sql"] for query in queries if "vault_gameaccount" in query["sql"])
    assert 'ORDER BY "vault_gameaccount"."id" ASC LIMIT' in first
    assert 'FOR UPDATE OF "vault_gameaccount"' in first


def test_an_end_that_was_written_past_the_services_counts_from_the_last_change():
    order = played()
    given(order)
    BaseOrder.objects.filter(pk=order.pk).update(status=Status.DONE)
    assert erased(days=7) == 0
    GameAccount.objects.update(changed_at=days_ago(8))
    assert erased(days=7) == 1


def test_a_service_that_ends_an_order_writes_when():
    order = played()
    order_finish(order_id=order.pk, by=person(Role.MANAGER))
    order.refresh_from_db()
    assert order.ended_at is not None
    assert abs(order.ended_at - timezone.now()) < timedelta(minutes=5)


@pytest.fixture
def reading():
    order = played()
    given(order)
    assert order.booster is not None
    account_read(order_id=order.pk, by=order.booster, address="2001:db8::7")
    return Reading.objects.get()


def test_a_reading_is_neither_changed_nor_deleted(reading):
    for act in (
        reading.save,
        reading.delete,
        lambda: Reading.objects.update(address=None),
        lambda: Reading.objects.all().delete(),
        lambda: Reading.objects.bulk_update([reading], ["address"]),
    ):
        with pytest.raises(AppendOnly):
            act()


def test_the_admin_shows_readings_and_changes_none(reading):
    page, request = site.get_model_admin(Reading), RequestFactory().get("/")
    request.user = person(Role.ADMIN, is_superuser=True, is_staff=True)
    assert page.has_view_permission(request, reading)
    allowed = (page.has_add_permission, page.has_change_permission, page.has_delete_permission)
    assert not [ask for ask in allowed if ask(request)]


def test_the_account_data_has_no_page_in_the_admin():
    assert not site.is_registered(GameAccount)


def test_the_admin_lists_readings_with_the_address(reading, client):
    client.force_login(person(Role.ADMIN, is_superuser=True, is_staff=True))
    page = client.get("/admin/vault/reading/").content.decode()
    assert "2001:db8::7" in page
    assert client.get(f"/admin/vault/reading/{reading.pk}/change/").status_code == 200
    assert client.post(f"/admin/vault/reading/{reading.pk}/delete/").status_code == 403


def test_an_address_goes_after_so_many_days_and_the_reading_stays(reading, settings):
    settings.ADDRESS_DAYS = 90
    orders_of_others = [played(), played()]
    for order in orders_of_others:
        given(order)
        assert order.booster is not None
        account_read(order_id=order.pk, by=order.booster, address="192.0.2.9")
    assert counted()[1] == 0
    QuerySet(Reading).exclude(order=orders_of_others[1]).update(at=days_ago(91))
    before = list(Reading.objects.values("pk", "order", "reader", "role", "at"))
    assert counted(batch=1)[1] == 2
    assert list(Reading.objects.values_list("address", flat=True)) == ["192.0.2.9", None, None]
    assert list(Reading.objects.values("pk", "order", "reader", "role", "at")) == before
    assert counted(address_days=0)[1] == 1
    assert counted(address_days=0)[1] == 0


def tried(client, name):
    client.post("/accounts/login/", {"username": name, "password": "wrong"}, REMOTE_ADDR="192.0.2.7")


def test_failed_log_ins_go_when_they_are_old_and_count_no_more(client, settings):
    settings.ADDRESS_DAYS = 90
    for name in ("anna", "bert", "carla"):
        tried(client, name)
    AccessAttempt.objects.filter(username="anna").update(attempt_time=days_ago(91))
    AccessAttempt.objects.filter(username="bert").update(attempt_time=days_ago(89))
    assert counted()[2] == 1
    assert set(AccessAttempt.objects.values_list("username", flat=True)) == {"bert", "carla"}
    assert counted(address_days=0)[2] == 1
    assert AccessAttempt.objects.get().username == "carla", "he would have all his tries again"
