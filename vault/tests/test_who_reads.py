"""Who is shown account data: the stranger first, then everybody in every status."""

import pytest
from django.db import transaction

from accounts.models import Role, User
from accounts.tests.people import person
from orders.exceptions import NotAllowed, OrderNotFound, WrongStatus
from orders.models import BaseOrder, Status
from orders.services import order_assign, order_release
from orders.tests.threads import at_once, racing
from vault.exceptions import AccountMissing, BadAccount
from vault.models import GameAccount, Reading
from vault.selectors import MOST, account_sight, readings_of
from vault.services import account_erase, account_read, account_write
from vault.tests.cast import LOGIN, PASSWORD, REMARKS, given, played

pytestmark = pytest.mark.django_db
ADDRESS = "192.0.2.7"
SEEING = {Status.CONTINUE, Status.PAUSED, Status.EXTEND}


def read(order, by):
    return account_read(order_id=order.pk, by=by, address=ADDRESS)


@pytest.fixture
def order():
    found = played()
    given(found)
    return found


def test_a_stranger_cannot_tell_the_order_from_none(order):
    for stranger in (person(Role.CLIENT), person(Role.BOOSTER)):
        texts = []
        for order_id in (order.pk, order.pk + 1000):
            with pytest.raises(OrderNotFound) as refusal:
                account_read(order_id=order_id, by=stranger, address=ADDRESS)
            texts.append(str(refusal.value).replace(str(order_id), "N"))
        assert texts[0] == texts[1]
    assert not Reading.objects.exists()


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
@pytest.mark.parametrize("status", list(Status))
def test_staff_is_never_shown_it(order, role, status):
    BaseOrder.objects.filter(pk=order.pk).update(status=status)
    staff = person(role)
    for act in (
        lambda: read(order, staff),
        lambda: account_write(order_id=order.pk, login="x", password="x", by=staff),
        lambda: account_erase(order_id=order.pk, by=staff),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert account_sight(staff, order) is None
    assert not Reading.objects.exists()


@pytest.mark.parametrize("status", list(Status))
def test_its_booster_is_shown_it_while_he_plays(order, status):
    BaseOrder.objects.filter(pk=order.pk).update(status=status)
    if status in SEEING:
        shown = read(order, order.booster)
        assert (shown.login, shown.password, shown.remarks) == (LOGIN, PASSWORD, REMARKS)
        assert Reading.objects.count() == 1
    else:
        with pytest.raises(WrongStatus):
            read(order, order.booster)
        assert not Reading.objects.exists()


def test_who_has_lost_the_order_is_shown_nothing_and_his_successor_is(order):
    first, second = order.booster, person(Role.BOOSTER)
    order_release(order_id=order.pk, by=first)
    with pytest.raises(NotAllowed):  # he sees it as one to claim
        read(order, first)
    order_assign(order_id=order.pk, booster=second, by=person(Role.MANAGER))
    with pytest.raises(OrderNotFound):
        read(order, first)
    assert read(order, second).login == LOGIN


def test_a_booster_who_was_disabled_is_shown_nothing(order):
    order.booster.is_active = False
    with pytest.raises(OrderNotFound):
        read(order, order.booster)


def test_its_client_gives_changes_reads_and_erases(order):
    assert read(order, order.client).password == PASSWORD
    account_write(order_id=order.pk, login="other", password="other", by=order.client)
    shown = read(order, order.booster)
    assert (shown.login, shown.password, shown.remarks) == ("other", "other", "")
    assert GameAccount.objects.count() == 1
    assert account_erase(order_id=order.pk, by=order.client)
    assert not account_erase(order_id=order.pk, by=order.client)
    with pytest.raises(AccountMissing):
        read(order, order.booster)
    assert Reading.objects.count() == 2, "the readings stay"


def test_the_booster_neither_gives_nor_erases(order):
    with pytest.raises(NotAllowed):
        account_write(order_id=order.pk, login="x", password="x", by=order.booster)
    with pytest.raises(NotAllowed):
        account_erase(order_id=order.pk, by=order.booster)


@pytest.mark.parametrize("status", [Status.DONE, Status.DROPPED])
def test_when_the_order_is_over_nothing_new_is_taken_and_the_client_may_still_erase(order, status):
    BaseOrder.objects.filter(pk=order.pk).update(status=status)
    with pytest.raises(WrongStatus):
        account_write(order_id=order.pk, login="x", password="x", by=order.client)
    assert account_erase(order_id=order.pk, by=order.client)


@pytest.mark.parametrize(
    "wrong",
    [
        {"login": ""}, {"login": " "}, {"password": ""}, {"login": "x" * 101}, {"password": "x" * 201},
        {"remarks": "x" * 501}, {"password": "a\x00b"}, {"login": "\ud800"}, {"password": 5}, {"login": None},
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_and_not_repeated(order, wrong):
    words = {"login": "hunter1", "password": "hunter2", "remarks": "hunter3"} | wrong
    with pytest.raises(BadAccount) as refusal:
        account_write(order_id=order.pk, by=order.client, **words)
    assert "hunter" not in str(refusal.value)
    assert read(order, order.client).login == LOGIN, "the old one stays"


def test_a_reading_says_who_when_which_order_and_from_where(order):
    read(order, order.booster)
    (row,) = Reading.objects.all()
    assert (row.order, row.reader, row.role, row.address) == (order, order.booster, "booster", ADDRESS)
    assert row.at is not None
    assert list(readings_of(order.client, order)) == [row]
    assert list(readings_of(order.booster, order)) == []
    assert list(readings_of(person(Role.ADMIN), order)) == []


def test_many_readings_are_counted_for_each_reader_and_the_newest_are_listed(order):
    read(order, order.client)
    for _ in range(MOST + 1):
        read(order, order.booster)
    sight = account_sight(order.client, order)
    assert sight is not None
    assert len(sight.readings) == MOST
    assert {reading.reader for reading in sight.readings} == {order.booster}
    assert [(reader.id, reader.role, reader.times) for reader in sight.readers] == [
        (order.booster_id, "booster", MOST + 1),
        (order.client_id, "client", 1),
    ]
    assert sight.readers[0].last == Reading.objects.latest("id").at
    not_his = account_sight(order.booster, order)
    assert not_his is not None
    assert (not_his.readers, not_his.readings) == ([], [])


@pytest.mark.django_db(transaction=True)
def test_nothing_is_shown_inside_a_transaction_that_may_still_be_rolled_back():
    order = played()
    given(order)
    with pytest.raises(RuntimeError), transaction.atomic():
        read(order, order.booster)
    assert not Reading.objects.exists()


@racing
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(4))
def test_a_booster_who_loses_the_order_while_he_asks_is_shown_nothing(round_):
    manager, order = person(Role.MANAGER), played()
    given(order)
    booster = order.booster
    _, shown = at_once(lambda: order_release(order_id=order.pk, by=manager), lambda: read(order, booster), behind=order)
    # Whoever came first: shown and written down, or released and neither.
    assert Reading.objects.filter(order=order).exists() != isinstance(shown, NotAllowed)


@racing
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ending", [{"is_active": False}, {"role": Role.CLIENT}], ids=["disabled", "demoted"])
def test_a_booster_who_lost_his_right_while_he_waited_is_shown_nothing(ending):
    order = played()
    given(order)
    booster = User.objects.get(assignments=order.pk)
    (refusal,) = at_once(
        lambda: read(order, booster),
        behind=order,
        meanwhile=lambda: User.objects.filter(pk=booster.pk).update(**ending),
    )
    assert isinstance(refusal, OrderNotFound)
    assert not Reading.objects.exists()
