"""At rest: sealed by a named key, opened by the keys that are there, in its own row only."""

from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from threading import Event

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from orders.tests.threads import PATIENCE, racing
from vault import rotation
from vault.exceptions import AccountLocked
from vault.models import GameAccount, Reading
from vault.rotation import accounts_turn
from vault.sealing import Credentials, Keyring
from vault.services import account_read, account_write, locked_say
from vault.tests.cast import LOGIN, SECRETS, given, played

pytestmark = pytest.mark.django_db
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def order(settings):
    settings.ACCOUNT_KEYS = {"old": OLD}
    found = played()
    given(found)
    return found


def read(order):
    return account_read(order_id=order.pk, by=order.booster, address=None)


def rotate(**options):
    out, err = StringIO(), StringIO()
    try:
        call_command("vault_rotate", stdout=out, stderr=err, **options)
    except CommandError as error:
        return out.getvalue() + err.getvalue() + str(error)
    return out.getvalue() + err.getvalue()


def test_no_column_of_any_table_has_it_in_clear(order):
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM vault_gameaccount")
        stored = repr(cursor.fetchall())
    assert not [secret for secret in SECRETS if secret in stored]
    assert "'old'" in stored, "the name of the key is no secret"


def test_neither_shows_itself(order):
    account = GameAccount.objects.get()
    shown = read(order)
    for words in (repr(shown), str(shown), f"{shown}", repr(account), str(account), repr([shown])):
        assert not [secret for secret in (*SECRETS, account.token) if secret in words]


@pytest.fixture
def said(caplog):
    """Return what the log was told."""
    locked_say.cache_clear()
    return lambda: [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


def test_a_key_that_is_not_here_is_named_to_the_log_and_not_to_who_asks(order, settings, said):
    settings.ACCOUNT_KEYS = {"new": NEW}
    for _ in range(2):
        with pytest.raises(AccountLocked, match=r"^The account data cannot be opened just now\. Ask the staff\.$"):
            read(order)
    (words,) = said()
    assert "sealed by the key 'old', which is not here" in words
    assert not Reading.objects.exists(), "nobody was shown anything"


def test_another_secret_under_the_name_is_said(order, settings, said):
    settings.ACCOUNT_KEYS = {"old": NEW}
    with pytest.raises(AccountLocked) as refusal:
        read(order)
    (words,) = said()
    assert "'old' is another one" in words
    assert OLD not in words
    assert NEW not in words
    assert refusal.value.__cause__ is None


def test_a_broken_token_is_said(order):
    account = GameAccount.objects.get()
    GameAccount.objects.update(token=account.token[:-4] + "AAAA")
    with pytest.raises(AccountLocked):
        read(order)


def test_what_was_sealed_for_one_order_does_not_open_in_the_row_of_another(order, said):
    other = played()
    given(other)
    token = GameAccount.objects.get(order=order).token
    GameAccount.objects.filter(order=other).update(token=token)
    with pytest.raises(AccountLocked):
        read(other)
    assert "for another order" in said()[0]


def test_every_sealing_is_another_token():
    ring, same = Keyring({"old": OLD}), Credentials("a", "b", "c")
    assert ring.seal(same, order_id=1).token != ring.seal(same, order_id=1).token


def test_rotation_seals_everything_anew_and_the_old_key_can_go(order, settings):
    orders = [order, *[played() for _ in range(4)]]
    for other in orders[1:]:
        given(other)
    settings.ACCOUNT_KEYS = {"new": NEW, "old": OLD}
    assert read(order).login == LOGIN, "both open meanwhile"
    assert "by the key 'new': 5. Not opened: 0." in rotate(batch=2)
    settings.ACCOUNT_KEYS = {"new": NEW}
    assert {read(each).login for each in orders} == {LOGIN}
    assert ": 0. Not opened: 0." in rotate(batch=2), "nothing is left to do"
    assert ": 5. Not opened: 0." in rotate(batch=2, all=True)


def test_an_interrupted_rotation_goes_on_where_it_was(order, settings):
    for _ in range(4):
        given(played())
    settings.ACCOUNT_KEYS = {"new": NEW, "old": OLD}
    first = next(accounts_turn(batch=2))
    assert (first.rows, first.locked) == (2, {})
    assert GameAccount.objects.filter(key="new").count() == 2
    assert ": 3. Not opened: 0." in rotate(batch=2)
    assert GameAccount.objects.filter(key="new").count() == 5


def test_rotation_leaves_what_it_cannot_open_and_says_so(order, settings):
    given(played())
    GameAccount.objects.filter(order=order).update(
        key="lost", token=Fernet(Fernet.generate_key()).encrypt(b"x").decode()
    )
    settings.ACCOUNT_KEYS = {"new": NEW, "old": OLD}
    said = rotate(batch=1)
    assert f"Order {order.pk}: The account data is sealed by the key 'lost'" in said
    assert ": 1. Not opened: 1." in said
    assert "Keep the old keys" in said
    assert GameAccount.objects.get(order=order).key == "lost"


def test_what_is_given_meanwhile_is_sealed_by_the_new_key(order, settings):
    settings.ACCOUNT_KEYS = {"new": NEW, "old": OLD}
    given(order)
    assert GameAccount.objects.get().key == "new"
    assert list(accounts_turn(batch=1)) == []


@racing
@pytest.mark.django_db(transaction=True)
def test_what_is_given_while_the_rotation_holds_the_row_is_not_lost(settings, monkeypatch):
    settings.ACCOUNT_KEYS = {"old": OLD}
    order = played()
    given(order)
    settings.ACCOUNT_KEYS = {"new": NEW, "old": OLD}
    seals = rotation._turned

    def meanwhile(rows):
        if rows:
            writer.submit(write_other, order)
            wait_for(lambda: others_wait_for_a_lock() or read_now(order) == "changed")
        return seals(rows)

    monkeypatch.setattr(rotation, "_turned", meanwhile)
    with ThreadPoolExecutor(1) as writer:
        assert sum(turned.rows for turned in accounts_turn(batch=1)) == 1
    assert read(order).login == "changed"
    assert GameAccount.objects.get().key == "new"


def write_other(order):
    try:
        account_write(order_id=order.pk, login="changed", password="changed", by=order.client)
    finally:
        connection.close()


def read_now(order):
    sealed = GameAccount.objects.get(order=order).sealed
    return Keyring({"new": NEW, "old": OLD}).open(sealed, order_id=order.pk).login


def others_wait_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0] > 0


def wait_for(condition):
    for _ in range(PATIENCE * 100):
        if condition():
            return
        Event().wait(0.01)
    raise TimeoutError("neither waits nor writes")
