"""Twelve ways to write a row. Each takes keys and a status, and copes with rows that are gone."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import F
from django.test import Client
from django.urls import reverse

from realtime.tests.deliveries.models import Delivery, Route, Toll
from realtime.tests.people import user

Keys = Sequence[uuid.UUID]


@dataclass(frozen=True)
class Path:
    """A way to write: ``write(keys, status)``, and ``atomic()``, a transaction or savepoint around it."""

    name: str
    write: Callable[[Keys, str], None]
    atomic: Callable[[], AbstractContextManager[Any]] = transaction.atomic
    is_sql: bool = False
    """It goes past the ORM: nothing but triggers can see it."""

    def __str__(self) -> str:
        return self.name


class RollBack(Exception):
    """Ends a block without its work."""


@transaction.atomic
def record() -> uuid.UUID:
    """Return the key of a new delivery with a route and a toll, made in one transaction."""
    row = Delivery.objects.create(sender=user(), courier=user())
    Route.objects.create(delivery=row, town="Ulm")
    Toll.objects.create(delivery=row, amount=2)
    return row.pk


def keeper() -> Any:
    """Return the superuser to whom rows belong that a path makes; no path deletes him."""
    user, _ = get_user_model().objects.get_or_create(
        username="keeper", defaults={"is_staff": True, "is_superuser": True, "role": "admin"}
    )
    return user


def _rows(keys: Keys) -> list[Delivery]:
    return list(Delivery.objects.filter(pk__in=keys).order_by("pk"))


def save(keys: Keys, status: str) -> None:
    for row in _rows(keys):
        row.status = status
        row.save()


def save_update_fields(keys: Keys, status: str) -> None:
    for row in _rows(keys):
        row.status, row.price = status, Decimal("0.01")
        row.save(update_fields=["status"])


def save_expression(keys: Keys, status: str) -> None:
    for row in _rows(keys):
        row.price = F("price") + 1
        row.save()


def queryset_update(keys: Keys, status: str) -> None:
    Delivery.objects.filter(pk__in=keys).update(status=status, price=F("price") + 1)


def conflicting(name: str) -> dict[str, Any]:
    """Return how ``bulk_create`` is told which field is unique; MariaDB looks at all of them, and is not told."""
    named = connection.features.supports_update_conflicts_with_target
    return {"unique_fields": [name]} if named else {}


def bulk_create(keys: Keys, status: str) -> None:
    """New rows, and known ones by ON CONFLICT DO UPDATE."""
    new = [Delivery(sender=keeper(), status=status) for _ in keys]
    Delivery.objects.bulk_create(new)
    known = [Delivery(pk=key, sender=keeper(), status=status) for key in sorted(keys)]
    Delivery.objects.bulk_create(known, update_conflicts=True, update_fields=["status"], **conflicting("id"))


def bulk_update(keys: Keys, status: str) -> None:
    rows = _rows(keys)
    for row in rows:
        row.status = status
    Delivery.objects.bulk_update(rows, ["status"])


def update_or_create(keys: Keys, status: str) -> None:
    for key in [*sorted(keys), uuid.uuid4()]:
        Delivery.objects.update_or_create(
            pk=key, defaults={"status": status}, create_defaults={"status": status, "sender": keeper()}
        )


def delete(keys: Keys, status: str) -> None:
    for row in _rows(keys):
        row.delete()


def cascade(keys: Keys, status: str) -> None:
    """The senders go, and their deliveries with them."""
    senders = Delivery.objects.filter(pk__in=keys, sender__is_superuser=False).order_by("pk").values_list("sender_id")
    for (sender,) in list(senders):
        get_user_model().objects.filter(pk=sender).delete()


def admin_action(keys: Keys, status: str) -> None:
    browser = Client()
    browser.force_login(keeper())
    answer = browser.post(
        reverse("admin:deliveries_delivery_changelist"),
        {"action": "set_status", "_selected_action": [str(key) for key in keys], "status": status},
    )
    assert answer.status_code == 302


def raw_sql(keys: Keys, status: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE deliveries_delivery SET status = %s, price = price + 1 WHERE id = ANY (%s)", [status, list(keys)]
        )


_foreign: ContextVar["psycopg.Connection[Any] | None"] = ContextVar("foreign", default=None)


@contextmanager
def foreign() -> Iterator["psycopg.Connection[Any]"]:
    """The open connection of a program that knows no Django; a new one that commits each statement, if none is."""
    found = _foreign.get()
    if found is not None:
        yield found
        return
    given = connection.get_connection_params()
    names = {"dbname", "user", "password", "host", "port"} & set(given)
    with psycopg.connect(**{name: given[name] for name in names}, autocommit=True) as made:
        token = _foreign.set(made)
        try:
            yield made
        finally:
            _foreign.reset(token)


@contextmanager
def foreign_atomic() -> Iterator[None]:
    with foreign() as made, made.transaction():
        yield


def copy(keys: Keys, status: str) -> None:
    """COPY, as psql and other programs load rows."""
    with foreign() as made, made.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_user WHERE username = 'keeper'")
        (sender,) = cursor.fetchone() or (None,)
        with cursor.copy("COPY deliveries_delivery (id, sender_id, status, price, memo) FROM STDIN") as rows:
            for _ in keys:
                rows.write_row((uuid.uuid4(), sender, status, Decimal("3.50"), ""))


PATHS = (
    Path("save", save),
    Path("save update_fields", save_update_fields),
    Path("save F()", save_expression),
    Path("QuerySet.update", queryset_update),
    Path("bulk_create", bulk_create),
    Path("bulk_update", bulk_update),
    Path("update_or_create", update_or_create),
    Path("delete", delete),
    Path("cascade", cascade),
    Path("admin action", admin_action),
    Path("raw SQL", raw_sql, is_sql=True),
    Path("COPY", copy, foreign_atomic, is_sql=True),
)
