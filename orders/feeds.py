"""What is synchronised of an order, and who sees which field."""

from collections.abc import Mapping
from typing import Any

from orders.audience import ADMIN, BOOSTER, CLIENT, MANAGER, PROSPECT, STAFF, audience_of
from orders.models import BaseOrder, Status
from realtime.boards import VIEWER, Board
from realtime.feeds import Feed, Field, Slot, Viewer, register


@register
class OrderFeed(Feed):
    """An order as its client, its booster, boosters who look for one, and staff see it."""

    name = "order"
    model = BaseOrder
    audiences = (CLIENT, BOOSTER, PROSPECT, MANAGER, ADMIN)
    gates = ("client_id", "booster_id", "status")
    auditors = STAFF

    mine = Board(client={"client_id": VIEWER}, booster={"booster_id": VIEWER})
    available = Board(booster={"booster_id": None, "status": Status.NEW.value})
    all = Board(manager={}, admin={})
    filters = {"status": "status", "game": "game", "booster": "booster_id"}

    status = Field()
    progress = Slot(default=0)
    booster_price = Field(to={BOOSTER, PROSPECT} | STAFF, opened={CLIENT})
    actual_price = Field(to={CLIENT} | STAFF, opened={BOOSTER})
    booster_id = Field()
    booster_username = Field("booster.username", personal="booster_id")
    reached_rank = Slot()
    reached_division = Slot()
    reached_marks = Slot()
    message = Field()

    game = Field()
    title = Field()
    note = Field(to={CLIENT, BOOSTER} | STAFF, personal="client_id")
    created_at = Field()
    client_username = Field("client.username", to={CLIENT, BOOSTER} | STAFF, personal="client_id")
    last_payment = Slot(to={CLIENT} | STAFF)
    last_payout = Slot(to={BOOSTER} | STAFF)
    disputed = Field()  # also to who looks for an order: his payouts would be held

    @staticmethod
    def audience(viewer: Viewer, gates: Mapping[str, Any]) -> str | None:
        return audience_of(user_id=viewer.id, role=viewer.role, **gates)
