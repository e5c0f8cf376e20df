"""Row locks: the order first, several orders in key order, then the account of who asks."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import User
from accounts.standing import standing_lock
from orders.exceptions import OrderNotFound
from orders.models import ENDED, BaseOrder
from orders.selectors import order_audience, order_key_check, seen_by
from orders.transitions import transition_check

P = ParamSpec("P")
R = TypeVar("R")

DEADLOCK = "40P01"
TRIES = 3


def order_lock(*, order_id: int, by: User) -> BaseOrder:
    """Lock one order for ``by``, to the end of the transaction; refuse whoever may not see it."""
    return orders_lock(order_ids=[order_id], by=by)[0]


def orders_lock(*, order_ids: Collection[int], by: User) -> list[BaseOrder]:
    """Lock several orders in key order; refuse them all when ``by`` may not see one.

    What he may not see he does not wait for either: he would learn from the time that somebody is at work there.
    What he is himself is read anew under the lock, into ``by``: he may have been disabled while he waited.
    """
    for order_id in order_ids:
        order_key_check(order_id)
    rows = BaseOrder.objects.select_for_update(no_key=True, of=("self",)).filter(seen_by(by), pk__in=order_ids)
    orders = {order.pk: order for order in rows.order_by("pk") if order_audience(by, order)}
    if orders:
        standing_lock(by)
    for order_id in sorted(order_ids):
        if order_id not in orders or order_audience(by, orders[order_id]) is None:
            raise OrderNotFound(order_id)
    return list(orders.values())


@contextmanager
def order_step(verb: str, *, order_id: int, by: User) -> Iterator[BaseOrder]:
    """Hold the locked order while ``verb`` is done to it; at the end it is saved in its new status."""
    with transaction.atomic():
        order = order_lock(order_id=order_id, by=by)
        transition = transition_check(verb, order, by)
        yield order
        order.status = transition.target or order.status
        if transition.target in ENDED:
            order.ended_at = timezone.now()
        order.save()


def retry_on_deadlock(service: Callable[P, R]) -> Callable[P, R]:
    """Run ``service`` again, three times in all, when the database chose it as the victim of a deadlock.

    Inside an outer transaction nothing can be repeated: the error goes on to whoever opened that.
    """

    @wraps(service)
    def again(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(TRIES - 1):
            try:
                return service(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or getattr(error.__cause__, "sqlstate", None) != DEADLOCK:
                    raise
        return service(*args, **kwargs)

    return again
