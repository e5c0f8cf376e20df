"""What the transition table does not know: how far an order has got, and whether it is disputed."""

from accounts.models import User
from orders.exceptions import AlreadyDisputed, AtTheGoal, NotAtTheGoal, NotDisputed, OrderError
from orders.games import game_of
from orders.models import BaseOrder
from orders.transitions import is_its_booster

AT_THE_GOAL = {
    "report": "nothing is left to report. Finish it.",
    "release": "nothing is left for another booster. Finish it.",
}


def dispute_check(verb: str, order: BaseOrder) -> None:
    """Refuse a second dispute, and the end of one that is not open."""
    if verb == "dispute" and order.disputed:
        raise AlreadyDisputed(f"Order {order.pk} is disputed already. A manager decides.")
    if verb == "resolve" and not order.disputed:
        raise NotDisputed(f"Order {order.pk} has no open dispute: there was none, or somebody was quicker.")


def goal_check(verb: str, order: BaseOrder, by: User) -> None:
    """Refuse what 100 % forbids, and what a booster can do at 100 % only. Reads the game's row of ``order``."""
    if verb in AT_THE_GOAL and _is_reached(order):
        raise AtTheGoal(f"Order {order.pk} is at 100 %: {AT_THE_GOAL[verb]}")
    if verb == "finish" and is_its_booster.test(by, order) and not _is_reached(order):
        raise NotAtTheGoal(f"Order {order.pk} is not at 100 %. Report the goal first, then finish.")


def goal_allows(verb: str, order: BaseOrder, by: User) -> bool:
    """Whether both checks let ``verb`` pass."""
    try:
        dispute_check(verb, order)
        goal_check(verb, order, by)
    except OrderError:
        return False
    return True


def _is_reached(order: BaseOrder) -> bool:
    return game_of(order).share_done(order) == 1
