"""What may be known about account data without opening it."""

import datetime
from dataclasses import dataclass

from django.db.models import Count, Max, QuerySet

from accounts.models import User
from orders.exceptions import OrderError
from orders.models import BaseOrder
from orders.transitions import is_its_client
from vault.access import erase_check, read_check, write_check
from vault.models import GameAccount, Reading

MOST = 50  # readings, and readers


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who was shown account data: how often, and when the last time was."""

    id: int
    username: str
    role: str
    times: int
    last: datetime.datetime


@dataclass(frozen=True, slots=True)
class AccountSight:
    """The account data of an order as one person may know of it. ``None`` times: none is given.

    ``readings`` are the newest ``MOST``; ``readers`` counts all of them, so that no number of readings hides one.
    """

    given_at: datetime.datetime | None
    changed_at: datetime.datetime | None
    may_write: bool
    may_read: bool
    may_erase: bool
    readings: list[Reading]
    readers: list[Reader]

    @property
    def is_given(self) -> bool:
        return self.given_at is not None


def account_sight(user: User, order: BaseOrder) -> AccountSight | None:
    """Return what ``user`` may know; ``None`` for whoever may neither give nor read it. He must see ``order``."""
    may_write, may_read = _passes(write_check, user, order), _passes(read_check, user, order)
    if not (may_write or may_read):
        return None
    account = GameAccount.objects.filter(order=order).only("given_at", "changed_at").first()
    return AccountSight(
        given_at=account.given_at if account else None,
        changed_at=account.changed_at if account else None,
        may_write=may_write,
        may_read=may_read and account is not None,
        may_erase=account is not None and _passes(erase_check, user, order),
        readings=list(readings_of(user, order)[:MOST]),
        readers=readers_of(user, order),
    )


def readings_of(user: User, order: BaseOrder) -> QuerySet[Reading]:
    """Return who was shown the account data, newest first; nothing for anybody but the client of ``order``."""
    rows = Reading.objects.filter(order=order).select_related("reader")
    return rows if is_its_client.test(user, order) else rows.none()


def readers_of(user: User, order: BaseOrder) -> list[Reader]:
    """Return who was shown the account data and how often, the last one first; like ``readings_of`` for its client."""
    rows = (
        readings_of(user, order)
        .values_list("reader_id", "reader__username", "role")
        .annotate(times=Count("id"), last=Max("at"))
        .order_by("-last", "reader_id")
    )
    return [Reader(*row) for row in rows[:MOST]]


def _passes(check: object, user: User, order: BaseOrder) -> bool:
    assert callable(check)
    try:
        check(user, order)
    except OrderError:
        return False
    return True
