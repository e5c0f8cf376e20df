"""Disputes as a viewer of the order may see them: pages and the HTTP API ask here."""

import datetime
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q

from accounts.models import User
from orders.audience import BOOSTER, CLIENT, STAFF
from orders.models import BaseOrder, HeldPayout
from orders.selectors import order_audience
from orders.settlements import ZERO


@dataclass(frozen=True, slots=True)
class DisputeSight:
    """One dispute. ``reason`` is for client and staff; ``held`` for staff, and for the booster what is his own."""

    id: int
    opened_at: datetime.datetime
    opened_by: str
    reason: str | None
    outcome: str
    resolved_at: datetime.datetime | None
    held: Decimal | None

    @property
    def is_open(self) -> bool:
        return not self.outcome


def disputes_for(user: User, order: BaseOrder) -> list[DisputeSight]:
    """Return the disputes of ``order`` as ``user`` may see them, newest first. ``opened_by`` is a role, no name.

    A booster sees the open one, and those that held something of his; what his predecessors had is not his.
    """
    audience = order_audience(user, order)
    if audience not in {CLIENT, BOOSTER, *STAFF}:
        return []
    rows = order.disputes.select_related("by").prefetch_related("held").order_by("-id")
    if audience == BOOSTER:
        rows = rows.filter(Q(outcome="") | Q(held__booster=user)).distinct()
    return [
        DisputeSight(
            id=row.pk,
            opened_at=row.opened_at,
            opened_by=row.by.role,
            reason=None if audience == BOOSTER else row.reason,
            outcome=row.outcome,
            resolved_at=row.resolved_at,
            held=None if audience == CLIENT else _sum(list(row.held.all()), of=user if audience == BOOSTER else None),
        )
        for row in rows
    ]


def _sum(held: list[HeldPayout], *, of: User | None) -> Decimal:
    return sum((row.amount for row in held if of is None or row.booster_id == of.pk), ZERO)
