"""Who is erased stands nowhere any more: every table is searched for what he was called and what he has written."""

import json

import pytest
from axes.models import AccessAttempt
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from orders.models import BaseOrder, Dispute
from orders.services import order_dispute, order_drop, order_resolve, order_write_note
from vault.models import GameAccount, Reading
from vault.services import account_write
from wallet.models import Transaction

MARK = "zzyzx"
ADDRESS = "198.51.100.77"


def standing(*words):
    """Return the columns of the database, but keys, in which one of ``words`` stands."""
    found = set()
    for model in apps.get_models(include_auto_created=True):
        columns = [column for column in model._meta.concrete_fields if not column.is_relation]
        for row in model._base_manager.values_list(*[column.attname for column in columns]):
            for column, value in zip(columns, row, strict=True):
                text = json.dumps(value, default=str)
                if any(word in text for word in words):
                    found.add(f"{model._meta.label}.{column.name}")
    return found


@pytest.fixture
def carla(people):
    """A client who has left traces wherever one can: an order that is over, a dispute, a reading, a failed log-in."""
    carla, order = people.client, people.order
    User.objects.filter(pk=carla.pk).update(
        username=f"{MARK}-carla", first_name=f"{MARK}1", last_name=f"{MARK}2", email=f"{MARK}@example.org"
    )
    carla.refresh_from_db()
    order_write_note(order_id=order.pk, note=f"{MARK} note", by=carla)
    account_write(order_id=order.pk, login="x", password="x", remarks="x", by=carla)
    browser = Client()
    browser.force_login(carla)
    assert browser.post(f"/api/orders/{order.pk}/account/read", REMOTE_ADDR=ADDRESS).status_code == 200
    order_dispute(order_id=order.pk, by=carla, reason=f"{MARK} reason")
    order_drop(order_id=order.pk, by=people.manager, reason="Asked for.")
    order_resolve(order_id=order.pk, outcome="paid", reason="Agreed.", by=people.manager)
    Client().post("/accounts/login/", {"username": carla.username, "password": "wrong"}, REMOTE_ADDR=ADDRESS)
    admin = Client()
    people.admin.is_staff = people.admin.is_superuser = True
    people.admin.save()
    admin.force_login(people.admin)
    words = {"usable_password": "true", "password1": "long enough 1", "password2": "long enough 1"}
    assert admin.post(f"/admin/accounts/user/{carla.pk}/password/", words).status_code == 302
    assert LogEntry.objects.filter(object_repr__contains=MARK).exists()
    assert AccessAttempt.objects.filter(username=carla.username).exists()
    return carla


def test_nothing_of_him_is_left_in_any_table(people, carla, capsys):
    assert {"accounts.User.username", "orders.Dispute.reason", "vault.Reading.address"} <= standing(MARK, ADDRESS)
    rows = Transaction.objects.count(), Reading.objects.count(), Dispute.objects.count()
    call_command("person_erase", user=carla.pk, yes=True)
    assert "notes: 1, account data: 1, addresses of readings: 1, reasons: 1, log-in tries: 1" in capsys.readouterr().out
    assert standing(MARK, ADDRESS) == set()
    assert (Transaction.objects.count(), Reading.objects.count(), Dispute.objects.count()) == rows
    assert not GameAccount.objects.exists()


def test_he_cannot_come_back_and_others_see_that_he_is_gone(people, carla, browser_of):
    his = browser_of(carla)
    call_command("person_erase", user=carla.pk, yes=True)
    assert his.get("/").status_code == 302
    words = {"username": f"erased-{carla.pk}", "password": "long enough 1"}
    assert Client().post("/accounts/login/", words).status_code == 200, "the log-in again"
    page = browser_of(people.manager).get(f"/orders/{people.order.pk}/").content.decode()
    assert MARK not in page


def test_who_has_an_order_that_is_not_over_is_not_erased(people):
    for busy in (people.client, people.booster):
        with pytest.raises(CommandError, match=f"Finish or drop first: orders {people.order.pk}"):
            call_command("person_erase", user=busy.pk, yes=True)
        busy.refresh_from_db()
        assert busy.is_active


def test_without_yes_it_only_says_whose_account_it_is(people, carla, capsys):
    call_command("person_erase", user=carla.pk)
    assert f"{MARK}-carla (client)" in capsys.readouterr().out
    assert User.objects.get(pk=carla.pk).is_active
    with pytest.raises(CommandError, match="no account 987654"):
        call_command("person_erase", user=987654)


def test_a_second_time_nothing_is_found(people, carla, capsys):
    call_command("person_erase", user=carla.pk, yes=True)
    before = BaseOrder.objects.values().get(pk=people.order.pk)
    capsys.readouterr()
    call_command("person_erase", user=carla.pk, yes=True)
    assert capsys.readouterr().out.startswith("notes: 0, account data: 0, addresses of readings: 0, reasons: 0")
    assert BaseOrder.objects.values().get(pk=people.order.pk) == before
