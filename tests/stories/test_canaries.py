"""Every column holds something unique; nobody gets what is not for him, whatever way it could come, and no log has it.

``SEEN`` is written down a second time here: who may see which column. A column that is not in it fails.
"""

import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, models

from accounts.models import User
from orders.models import BaseOrder, Decision, Dispute, HeldPayout, Post
from orders.services import order_dispute, order_drop, order_release, order_resolve
from realtime import log
from tests.canaries import can_be_marked, columns, lines, marker, name_of, pages, pattern, site_pages, write
from tests.people import Cast, cast
from vault.models import GameAccount, Reading
from vault.services import account_read, account_write
from wallet.models import Transaction

pytestmark = [
    pytest.mark.usefixtures("db", "memory_bus"),
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous"),
]

STAFF = {"manager", "admin"}
EVERYBODY = {"client", "booster", "prospect"} | STAFF
SITE = {"site"}  # Django's admin, for superusers
NOBODY: set[str] = set()
SEEN: dict[str, set[str]] = {
    "BaseOrder.title": EVERYBODY | SITE,
    "BaseOrder.message": EVERYBODY | SITE,
    "BaseOrder.created_at": EVERYBODY | SITE,
    "BaseOrder.actual_price": {"client"} | STAFF | SITE,
    "BaseOrder.booster_price": {"booster", "prospect"} | STAFF | SITE,
    "BaseOrder.note": {"client", "booster"} | STAFF | SITE,
    "BaseOrder.worked_price": SITE,
    "BaseOrder.paid_out": SITE,
    "BaseOrder.settlement": SITE,
    "BaseOrder.ended_at": SITE,
    "Decision.verb": STAFF | SITE,
    "Decision.reason": STAFF | SITE,
    "Decision.at": SITE,
    "Dispute.reason": {"client"} | STAFF | SITE,
    "Dispute.opened_at": {"client", "booster"} | STAFF | SITE,
    "Dispute.resolved_at": {"client", "booster"} | STAFF | SITE,
    "HeldPayout.amount": {"booster"} | STAFF,
    "HeldPayout.price": NOBODY,
    "HeldPayout.settlement": NOBODY,
    "HeldPayout.held_at": NOBODY,
    "Post.key": NOBODY,
    "Post.digest": NOBODY,
    "payment.amount": {"client"} | STAFF | SITE,
    "payment.created_at": {"client"} | STAFF | SITE,
    "payment.settlement": SITE,
    "payment.idempotency_key": SITE,
    "payout.amount": {"booster"} | STAFF | SITE,
    "payout.created_at": {"booster"} | STAFF | SITE,
    "payout.settlement": SITE,
    "payout.idempotency_key": SITE,
    "Rank.name": EVERYBODY | SITE,  # of the ladder, not of an order
    "GameAccount.key": NOBODY,
    "GameAccount.token": NOBODY,
    "GameAccount.given_at": NOBODY,
    "GameAccount.changed_at": {"client", "booster"},
    "Reading.address": SITE,
    "Reading.at": {"client"} | SITE,
    # What was sealed: shown by a post alone, which is not among these ways.
    "sealed.login": NOBODY,
    "sealed.password": NOBODY,
    "sealed.remarks": NOBODY,
}
SEALED = {"login": "cnry-log-in", "password": "cnry-pass-word", "remarks": "cnry-re-marks"}
WORKED = Decimal("60999.98")  # what earlier boosters have done is a part of the price
LEFT_ALONE = {"Rank.name", "GameAccount.token"}  # reference data; a token that is no token opens nothing


def test_every_column_is_here() -> None:
    found = {name_of(model, column) for model, column in columns() if can_be_marked(column)}
    kinds = {name.split(".", 1)[1] for name in SEEN if name.startswith(("payment.", "payout."))}
    known = {name for name in SEEN if not name.startswith(("payment.", "payout.", "sealed."))}
    assert found == known | {f"Transaction.{name}" for name in kinds}


def rows_of(people: Cast) -> dict[str, models.Model]:
    """Make one row of everything about the order of ``people``: an old dispute that was paid out, and account data."""
    order = people.order
    account_write(order_id=order.pk, by=people.client, **SEALED)
    account_read(order_id=order.pk, by=people.booster, address="192.0.2.7")
    Transaction.objects.create(
        order=order, user=people.booster, kind="payout", amount=1, settlement=90, idempotency_key="a payout"
    )
    order_dispute(order_id=order.pk, by=people.client, reason="It went down.")
    order_resolve(order_id=order.pk, by=people.manager, outcome="paid", reason="It did not.")
    dispute = Dispute.objects.get(order=order)
    held = HeldPayout.objects.create(
        dispute=dispute, booster=people.booster, amount=1, price=1, settlement=91, outcome="paid"
    )
    return {
        "payment": Transaction.objects.get(order=order, kind="payment"),
        "payout": Transaction.objects.get(order=order, kind="payout"),
        "BaseOrder": order,
        "Decision": Decision.objects.get(order=order),
        "Dispute": dispute,
        "HeldPayout": held,
        "Post": Post.objects.filter(order=order).earliest("id"),
        "GameAccount": GameAccount.objects.get(order=order),
        "Reading": Reading.objects.get(order=order),
    }


def marked(people: Cast) -> dict[str, Any]:
    """Write a marker into every column; return them by name."""
    markers: dict[str, Any] = {f"sealed.{name}": value for name, value in SEALED.items()}
    for name, row in rows_of(people).items():
        own = {}
        for column in row._meta.concrete_fields:
            if can_be_marked(column) and name_of(type(row), column) not in LEFT_ALONE:
                value = WORKED if column.name == "worked_price" else marker(column, len(markers) + 1)
                own[column.name] = markers[f"{name}.{column.name}"] = value
        write(row, own)
    markers["GameAccount.token"] = GameAccount.objects.get(order=people.order).token
    return markers


def version_of(order: BaseOrder) -> int:
    topic = f"order.{order.pk}"
    return log.heads([topic])[topic]


async def everything(user: User, order: BaseOrder) -> str:
    """Return all that leaves for ``user``, by every way there is."""
    version = await sync_to_async(version_of)(order)
    found = await sync_to_async(pages)(user, order.pk, version) | await lines(user, order.pk, version)
    return "\n".join(f"== {way}\n{text}" for way, text in found.items())


def superuser(people: Cast) -> User:
    User.objects.filter(pk=people.admin.pk).update(is_superuser=True, is_staff=True)
    return User.objects.get(pk=people.admin.pk)


def names_in(text: str, markers: dict[str, Any]) -> set[str]:
    return {name for name, value in markers.items() if pattern(value).search(text)}


async def test_each_gets_what_is_for_him_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("realtime", "orders", "wallet", "vault", "accounts", "dashboards", "django", "axes"):
        caplog.set_level(logging.DEBUG, logger=name)
    caplog.set_level(logging.INFO, logger="django.db.backends")  # with DEBUG its lines are the statements
    people = await sync_to_async(cast)()
    markers = await sync_to_async(marked)(people)
    got = {
        who: await everything(getattr(people, who), people.order)
        for who in ("client", "booster", "manager", "admin", "other_client", "other_booster")
    }
    got["site"] = "\n".join((await sync_to_async(site_pages)(await sync_to_async(superuser)(people))).values())
    await sync_to_async(write)(people.order, {"status": "New", "booster": None})
    got["prospect"] = await everything(people.other_booster, people.order)

    for who, text in got.items():
        expected = {name for name in markers if who in SEEN[name]}
        assert names_in(text, markers) == expected, who
    assert names_in(caplog.text, markers) == set(), "in a log line"
    assert caplog.records, "nothing was logged: the level is wrong"


@pytest.fixture
def undeclared(db: None) -> Iterator[str]:
    """A column that somebody adds to the order, with a value, and declares nowhere."""
    column = models.CharField(max_length=40, default="cnry-undeclared")
    column.set_attributes_from_name("undeclared")
    column.model = BaseOrder
    with connection.schema_editor() as editor:
        editor.add_field(BaseOrder, column)
    BaseOrder.add_to_class("undeclared", models.CharField(max_length=40, default="cnry-undeclared"))
    try:
        yield "cnry-undeclared"
    finally:
        added = BaseOrder._meta.get_field("undeclared")
        BaseOrder._meta.local_fields.remove(added)  # type: ignore[arg-type] # the stubs do not know that it is a column
        BaseOrder._meta._expire_cache()  # type: ignore[attr-defined] # and not how to take one away
        del BaseOrder.undeclared  # type: ignore[attr-defined] # nor that it was there
        with connection.schema_editor() as editor:
            editor.remove_field(BaseOrder, column)


async def test_a_new_column_that_nobody_declared_is_invisible(undeclared: str) -> None:
    people = await sync_to_async(cast)()
    stored = await sync_to_async(lambda: BaseOrder.objects.values_list("undeclared").get(pk=people.order.pk))()
    assert stored == (undeclared,), "it is there"
    await sync_to_async(order_release)(order_id=people.order.pk, by=people.manager)
    await sync_to_async(order_drop)(order_id=people.order.pk, by=people.manager, reason="So that it has a history.")
    for who in ("client", "booster", "manager", "admin"):
        text = await everything(getattr(people, who), people.order)
        assert undeclared not in text, who
    assert people.order.title in text, "and the rest is not"
