"""Who may give account data, and who may be shown it. Managers and admins may not, whatever the order is."""

from accounts.models import User
from orders.exceptions import NotAllowed, WrongStatus
from orders.models import OPEN, BaseOrder, Status
from orders.transitions import is_its_booster, is_its_client

PLAYED = frozenset({Status.CONTINUE, Status.PAUSED, Status.EXTEND})
WRITES = "Account data is given, changed and erased by the client of the order."
READS = "Account data is shown to the client of the order, and to its booster while it is Continue, Paused or Extend."


def write_check(by: User, order: BaseOrder) -> None:
    """Refuse whoever may not give account data for ``order`` now."""
    erase_check(by, order)
    if order.status not in OPEN:
        raise WrongStatus(f"Order {order.pk} is {order.status}: nobody needs the account data any more.")


def erase_check(by: User, order: BaseOrder) -> None:
    if not (by.is_active and is_its_client.test(by, order)):
        raise NotAllowed(f"You may not do this to order {order.pk}. {WRITES}")


def read_check(by: User, order: BaseOrder) -> None:
    """Refuse whoever may not be shown the account data of ``order`` now."""
    if by.is_active and is_its_client.test(by, order):
        return
    if not (by.is_active and is_its_booster.test(by, order)):
        raise NotAllowed(f"You may not do this to order {order.pk}. {READS}")
    if order.status not in PLAYED:
        raise WrongStatus(f"Order {order.pk} is {order.status}. {READS}")
