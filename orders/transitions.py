"""The transition table: from where, to where, and who. What is not here is refused."""

from dataclasses import dataclass

from rules.predicates import Predicate, predicate

from accounts.models import STAFF_ROLES, Role, User
from orders.exceptions import NotAllowed, WrongStatus
from orders.models import OPEN, BaseOrder, Status

# One table instead of decorators on the model: the rules are read, tested and documented in one place, and a page
# asks it which buttons to show.


@predicate
def is_its_client(by: User, order: BaseOrder) -> bool:
    return by.role == Role.CLIENT and order.client_id == by.pk


@predicate
def is_its_booster(by: User, order: BaseOrder) -> bool:
    return by.role == Role.BOOSTER and order.booster_id == by.pk


@predicate
def is_booster_for_it(by: User, order: BaseOrder) -> bool:
    """A booster who did not buy it himself, and nobody else was chosen."""
    return by.role == Role.BOOSTER and order.booster_id in (None, by.pk) and order.client_id != by.pk


@predicate
def is_staff(by: User, order: BaseOrder) -> bool:
    return by.role in STAFF_ROLES


@predicate
def is_new(by: User, order: BaseOrder) -> bool:
    return order.status == Status.NEW


@dataclass(frozen=True)
class Transition:
    """One verb of an order; ``target`` None leaves the status as it is."""

    sources: frozenset[Status]
    target: Status | None
    may: Predicate
    rule: str


def _from(*sources: Status) -> frozenset[Status]:
    return frozenset(sources)


TRANSITIONS: dict[str, Transition] = {
    "claim": Transition(
        _from(Status.NEW), Status.CONTINUE, is_booster_for_it,
        "An order is claimed by a booster while it is New; if one was chosen, by him. Nobody plays his own order.",
    ),
    "assign": Transition(
        _from(Status.NEW), Status.CONTINUE, is_staff,
        "An order is assigned by a manager while it is New.",
    ),
    "report": Transition(
        _from(Status.CONTINUE, Status.EXTEND), Status.CONTINUE, is_its_booster,
        "Progress is reported by the booster of the order while it is Continue or Extend.",
    ),
    "pause": Transition(
        _from(Status.CONTINUE), Status.PAUSED, is_its_client | is_its_booster | is_staff,
        "An order is paused by its client, its booster or a manager while it is Continue.",
    ),
    "resume": Transition(
        _from(Status.PAUSED), Status.CONTINUE, is_its_client | is_its_booster | is_staff,
        "An order is resumed by its client, its booster or a manager while it is Paused.",
    ),
    "extend": Transition(
        _from(Status.CONTINUE, Status.PAUSED), Status.EXTEND, is_its_client | is_staff,
        "An order is extended by its client or a manager while it is Continue or Paused.",
    ),
    "release": Transition(
        _from(Status.CONTINUE, Status.PAUSED, Status.EXTEND), Status.NEW, is_its_booster | is_staff,
        "An order is given up by its booster, or taken away by a manager, while it is Continue, Paused or Extend.",
    ),
    "finish": Transition(
        _from(Status.CONTINUE, Status.EXTEND), Status.DONE, is_its_booster | is_staff,
        "An order is finished by its booster at 100 %, or by a manager, while it is Continue or Extend.",
    ),
    "drop": Transition(
        OPEN, Status.DROPPED, (is_its_client & is_new) | is_staff,
        "An order is dropped by its client while it is New, or by a manager until it is Done or Dropped.",
    ),
    "reprice": Transition(
        OPEN, None, is_staff,
        "An order is repriced by a manager, with a reason, until it is Done or Dropped.",
    ),
    "dispute": Transition(
        _from(Status.CONTINUE, Status.PAUSED, Status.EXTEND), None, is_its_client | is_staff,
        "A dispute is opened by the client of the order or a manager while it is Continue, Paused or Extend.",
    ),
    "resolve": Transition(
        frozenset(Status), None, is_staff,
        "A dispute is resolved by a manager, with a reason, while it is open.",
    ),
    "write_note": Transition(
        OPEN, None, is_its_client,
        "The note is written by the client of the order until it is Done or Dropped.",
    ),
}  # fmt: skip


def transition_check(verb: str, order: BaseOrder, by: User) -> Transition:
    """Return the transition ``verb``, or refuse with the rule that forbids it."""
    transition = TRANSITIONS[verb]
    if not (by.is_active and transition.may.test(by, order)):
        raise NotAllowed(f"You may not do this to order {order.pk}. {transition.rule}")
    if order.status not in transition.sources:
        raise WrongStatus(f"Order {order.pk} is {order.status}. {transition.rule}")
    return transition


def verbs_for(by: User, order: BaseOrder) -> list[str]:
    """Return what ``by`` may do to ``order`` in its status. Reads no rows, so it does not know how far the order is."""
    return [
        verb
        for verb, transition in TRANSITIONS.items()
        if by.is_active and order.status in transition.sources and transition.may.test(by, order)
    ]
