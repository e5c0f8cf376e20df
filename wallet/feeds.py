"""Money, shown inside the order feed: every transaction of an order is an event of it."""

from django.db.models import F

from orders.feeds import OrderFeed
from realtime.feeds import Part, Record, register
from wallet.models import Transaction


@register
class PaymentPart(Part):
    """The newest payment."""

    feed, model, owner = OrderFeed, Transaction, "order"
    where = {"kind": "payment"}
    newest = "id"

    last_payment = Record(id="id", amount="amount", status="status", at="created_at")


@register
class PayoutPart(Part):
    """The newest payout of the booster who has the order now: his predecessor's is no business of his."""

    feed, model, owner = OrderFeed, Transaction, "order"
    where = {"kind": "payout", "user": F("order__booster")}
    newest = "id"

    last_payout = Record(id="id", amount="amount", status="status", at="created_at")
