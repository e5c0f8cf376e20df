"""What is synchronised of a delivery."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from realtime.feeds import Feed, Field, Many, Part, Record, Slot, Viewer, register

from .models import Delivery, Route, Toll


@register
class DeliveryFeed(Feed):
    name = "delivery"
    plural = "deliveries"
    model = Delivery
    audiences = ("sender", "courier")
    gates = ("sender_id", "courier_id")

    status = Field()
    price = Field(to={"sender"}, opened={"courier"})
    courier_name = Field("courier.username")
    town = Slot(default="nowhere")
    last_toll = Slot(to={"courier"})
    tags = Many("tags.name")
    open = ~Q(status="done")

    @staticmethod
    def audience(viewer: Viewer, gates: Mapping[str, Any]) -> str | None:
        if viewer.id == gates["sender_id"]:
            return "sender"
        return "courier" if viewer.id == gates["courier_id"] else None


@register
class RoutePart(Part):
    feed, model, owner = DeliveryFeed, Route, "delivery"
    town = Field()


@register
class TollPart(Part):
    feed, model, owner = DeliveryFeed, Toll, "delivery"
    where = {"kind": "road"}
    newest = "id"
    last_toll = Record(id="id", amount="amount", at="at")
