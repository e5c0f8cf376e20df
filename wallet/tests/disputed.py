"""An order that somebody disputes, and what tests ask of it."""

from accounts.models import Role
from accounts.tests.people import person
from orders.models import BaseOrder, HeldPayout, Status
from orders.services import order_dispute, order_resolve
from orders.tests.stairs import order_made
from wallet.models import Transaction


def disputed(title="0 4 10"):
    """An order of 100.00, 70.00 of it for the booster, of which the client says that something is wrong."""
    order = order_made(status=Status.CONTINUE, booster_id=person(Role.BOOSTER).pk, title=title)
    return order_dispute(order_id=order.pk, by=order.client, reason="It went down.")


def resolve(order, outcome, *, by=None, key="", reason="Looked at."):
    return order_resolve(
        order_id=order.pk, outcome=outcome, reason=reason, by=by or person(Role.MANAGER), idempotency_key=key
    )


def rows(order, kind):
    return list(Transaction.objects.filter(order=order, kind=kind).order_by("id").values_list("user", "amount"))


def held(order):
    return list(HeldPayout.objects.filter(dispute__order=order, outcome="").values_list("booster", "amount", "price"))


def fresh(order):
    return BaseOrder.objects.get(pk=order.pk)
