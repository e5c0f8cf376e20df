"""Reading orders. Every order comes with its client and its booster: a list costs one query."""

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from accounts.models import STAFF_ROLES, Role, User
from orders.audience import audience_of
from orders.exceptions import OrderNotFound
from orders.goal import goal_allows
from orders.models import BaseOrder, Status
from orders.transitions import verbs_for

Visitor = User | AnonymousUser  # whoever sent a request


def orders_all() -> QuerySet[BaseOrder]:
    """Return every order, newest first."""
    return BaseOrder.objects.select_related("client", "booster").order_by("-id")


def orders_of(user: Visitor) -> QuerySet[BaseOrder]:
    """Return a client's own orders, a booster's assigned ones, all for staff, none for anybody else."""
    if not isinstance(user, User) or not user.is_active:
        return orders_all().none()
    if user.role in STAFF_ROLES:
        return orders_all()
    if user.role == Role.CLIENT:
        return orders_all().filter(client=user)
    if user.role == Role.BOOSTER:
        return orders_all().filter(booster=user)
    return orders_all().none()


def orders_available() -> QuerySet[BaseOrder]:
    """Return the orders that any booster may claim."""
    return orders_all().filter(status=Status.NEW, booster=None)


def order_for(user: Visitor, order_id: int) -> BaseOrder:
    """Return the order, or raise ``OrderNotFound``; missing and forbidden look the same."""
    order_key_check(order_id)
    order = orders_all().filter(pk=order_id).first()
    if order is None or order_audience(user, order) is None:
        raise OrderNotFound(order_id)
    return order


def order_audience(user: Visitor, order: BaseOrder) -> str | None:
    """Return as what ``user`` sees ``order``: client, booster, prospect, manager, admin; ``None`` when not at all."""
    if not isinstance(user, User) or not user.is_active:
        return None
    return audience_of(
        user_id=user.pk,
        role=user.role,
        client_id=order.client_id,
        booster_id=order.booster_id,
        status=order.status,
    )


def seen_by(user: Visitor) -> Q:
    """Return the condition of the rows that ``user`` sees, as ``order_audience`` says it of one: for locks."""
    if not isinstance(user, User) or not user.is_active:
        return Q(pk__in=[])
    if user.role in STAFF_ROLES:
        return Q()
    if user.role == Role.CLIENT:
        return Q(client=user)
    if user.role == Role.BOOSTER:
        return Q(booster=user) | Q(booster=None, status=Status.NEW)
    return Q(pk__in=[])


def booster_wished(number: int) -> User:
    """Return the account that somebody chooses for an order; a missing one looks like one that is not active.

    Whether it can play is asked by the service, behind the right of who chooses, and not when a request comes again.
    """
    return User.objects.filter(pk=number).first() or User(pk=number, is_active=False)


def order_verbs(user: Visitor, order: BaseOrder) -> list[str]:
    """Return what ``user`` may do to ``order`` now, in the words of the transition table."""
    return verbs_for(user, order) if isinstance(user, User) and order_audience(user, order) else []


def order_offers(user: Visitor, order: BaseOrder) -> list[str]:
    """Return those of ``order_verbs`` that may succeed now: the buttons of a page. Asks the order's game."""
    return [verb for verb in order_verbs(user, order) if isinstance(user, User) and goal_allows(verb, order, user)]


def order_key_check(order_id: object) -> None:
    """Refuse what cannot be a key as if there were no such order."""
    if isinstance(order_id, bool) or not isinstance(order_id, int) or not 0 < order_id < 2**63:
        raise OrderNotFound(order_id)
