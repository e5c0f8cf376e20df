"""What is synchronised of a delivery."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from realtime.boards import VIEWER, Board
from realtime.feeds import Feed, Field, Many, Part, Record, Slot, Viewer, register

from .models import Delivery, Route, Toll


@register
class DeliveryFeed(Feed):
    name = "delivery"
    plural = "deliveries"
    model = Delivery
    audiences = ("sender", "courier", "auditor")
    gates = ("sender_id", "courier_id")
    auditors = ("auditor",)
    mine = Board(client={"sender_id": VIEWER})
    carried = Board(client={"courier_id": VIEWER})
    all = Board(auditor={})
    filters = {"status": "status"}

    status = Field()
    price = Field(to={"sender", "auditor"}, opened={"courier"})
    courier_name = Field("courier.username", personal="courier_id")
    town = Slot(default="nowhere")
    last_toll = Slot(to={"courier", "auditor"})
    tags = Many("tags.name")
    open = ~Q(status="done")

    @staticmethod
    def audience(viewer: Viewer, gates: Mapping[str, Any]) -> str | None:
        if viewer.role == "auditor":
            return "auditor"
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
