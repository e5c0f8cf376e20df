"""Orders over HTTP: read as the viewer sees them, and every verb of the transition table that knows no game.

Views translate: who may what is for the services, what is seen is for the feed.
"""

import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from ninja import Header, Query, Router, Schema
from pydantic import Field

from accounts.api import PersonRequest
from accounts.models import Role, User
from orders import exceptions as rules
from orders import services
from orders.disputes import disputes_for
from orders.exceptions import OrderNotFound
from orders.feeds import OrderFeed
from orders.models import Status
from orders.money import prices_seen
from orders.selectors import booster_wished, order_for, order_offers, orders_available, orders_of
from realtime import head

router = Router(tags=["orders"])

STATUSES: dict[type[Exception], int] = {
    rules.OrderError: 409,  # whatever the state of the order forbids
    rules.OrderNotFound: 404,
    rules.NotAllowed: 403,
    rules.WrongRole: 422,
    rules.BadAmount: 422,
    rules.BadText: 422,
    rules.KeyMissing: 422,
    rules.KeyReused: 422,
}

Key = Annotated[str, Field(description="The order's number. What is no number is answered like a missing order.")]
IdempotencyKey = Annotated[
    str, Header("", alias="Idempotency-Key", description="New for each request; sent again, the first answer counts.")
]
RowId = Annotated[int, Field(ge=1, lt=2**63)]
MOST = 200


class Frame(Schema):
    """An order as its viewer sees it: the same values as on every socket and stream; what is masked is null."""

    type: Literal["order.update"]
    order_id: int
    status: str
    progress: int
    booster_price: str | None
    actual_price: str | None
    booster_id: int | None
    booster_username: str | None
    reached_rank: str | None
    reached_division: int | None
    reached_marks: int | None
    message: str
    game: str
    title: str
    note: str | None
    created_at: str
    client_username: str | None
    last_payment: dict[str, Any] | None
    last_payout: dict[str, Any] | None
    disputed: bool | None  # null in a version from before there were disputes
    timestamp: str
    version: int
    changed: list[str]
    masked: list[str]


class Sight(Schema):
    """One order, and what its viewer may do to it now. ``order`` is null when he does not see it any more."""

    order: Frame | None
    verbs: list[str]


class Orders(Schema):
    """A page of orders, newest first; ``next`` is the ``below`` of the following one."""

    orders: list[Frame]
    next: int | None


class Assignment(Schema):
    booster: RowId


class Reason(Schema):
    reason: str = ""


class Resolution(Schema):
    outcome: Literal["paid", "refunded"]
    reason: str
    dispute: RowId | None = Field(None, description="The one that was read: another one is not decided in its place.")


class DisputeSight(Schema):
    """A dispute. ``reason`` is null for the booster; ``held`` is what it holds, for the booster his own part."""

    id: int
    opened_at: datetime.datetime
    opened_by: str
    reason: str | None
    outcome: str
    resolved_at: datetime.datetime | None
    held: Decimal | None


class Note(Schema):
    note: str


class Prices(Schema):
    actual_price: Decimal = Field(examples=["120.00"], description="What the client pays.")
    booster_price: Decimal = Field(examples=["84.00"], description="What the booster gets for what is to be done.")
    reason: str
    seen_actual_price: Decimal | None = Field(None, description="The prices that were seen: with others, 409.")
    seen_booster_price: Decimal | None = None


class Wanted(Schema):
    """Which orders: a client's own, a booster's assigned, all for staff; or those that a booster may claim."""

    board: Literal["mine", "available"] = "mine"
    status: Status | None = None
    game: str | None = Field(None, pattern=r"^[-a-zA-Z0-9_]{1,40}$")
    below: RowId | None = None
    limit: int = Field(50, ge=1, le=MOST)


def number_of(key: str) -> int:
    """Return the number that ``key`` writes; 0, which no order has, where it writes none."""
    return OrderFeed.key(key) or 0


def sight_of(user: User, order_id: int) -> dict[str, Any]:
    """Return the order as ``user`` sees it after whatever he did."""
    frame = head.frames_for(OrderFeed, [order_id], OrderFeed.viewer(user)).get(order_id)
    verbs = [] if frame is None else order_offers(user, order_for(user, order_id))
    return {"order": frame, "verbs": verbs}


@router.get("/orders", response=Orders, summary="My orders")
def orders(request: PersonRequest, wanted: Query[Wanted]) -> Any:
    """Newest first. ``board=available``: the orders that a booster may claim."""
    is_prospect = request.user.role == Role.BOOSTER and wanted.board == "available"
    rows = orders_available() if is_prospect else orders_of(request.user)
    if wanted.board == "available" and not is_prospect:
        rows = rows.none()
    conditions = {"status": wanted.status, "game": wanted.game, "pk__lt": wanted.below}
    rows = rows.filter(**{name: value for name, value in conditions.items() if value is not None})
    keys = list(rows.values_list("pk", flat=True)[: wanted.limit + 1])
    page = keys[: wanted.limit]
    frames = head.frames_for(OrderFeed, page, OrderFeed.viewer(request.user))
    return {
        "orders": [frames[key] for key in page if key in frames],
        "next": page[-1] if keys[wanted.limit :] else None,
    }


@router.get("/orders/{key}", response=Sight, summary="One order")
def order(request: PersonRequest, key: Key) -> Any:
    order_for(request.user, number_of(key))  # the missing and the forbidden end here: after one query, in one time
    sight = sight_of(request.user, number_of(key))
    if sight["order"] is None:
        raise OrderNotFound(key)
    return sight


@router.post("/orders/{key}/claim", response=Sight, summary="Claim an order")
def claim(request: PersonRequest, key: Key) -> Any:
    """The first booster gets it; taken and missing look the same to the others."""
    services.order_claim(order_id=number_of(key), booster=request.user)
    return sight_of(request.user, number_of(key))


@router.post("/orders/{key}/assign", response=Sight, summary="Assign a booster")
def assign(request: PersonRequest, key: Key, asked: Assignment) -> Any:
    # Who may not assign learns nothing of boosters: the service asks for his right first.
    services.order_assign(order_id=number_of(key), booster=booster_wished(asked.booster), by=request.user)
    return sight_of(request.user, number_of(key))


@router.post("/orders/{key}/pause", response=Sight, summary="Pause")
def pause(request: PersonRequest, key: Key) -> Any:
    services.order_pause(order_id=number_of(key), by=request.user)
    return sight_of(request.user, number_of(key))


@router.post("/orders/{key}/resume", response=Sight, summary="Resume")
def resume(request: PersonRequest, key: Key) -> Any:
    services.order_resume(order_id=number_of(key), by=request.user)
    return sight_of(request.user, number_of(key))


@router.post("/orders/{key}/release", response=Sight, summary="Release")
def release(request: PersonRequest, key: Key, idempotency_key: IdempotencyKey) -> Any:
    """The part done is paid; the rest is offered to other boosters."""
    services.order_release(order_id=number_of(key), by=request.user, idempotency_key=idempotency_key)
    return sight_of(request.user, number_of(key))


@router.post("/orders/{key}/finish", response=Sight, summary="Finish")
def finish(request: PersonRequest, key: Key, idempotency_key: IdempotencyKey) -> Any:
    """The order is done and the rest of the payout is paid."""
    services.order_finish(order_id=number_of(key), by=request.user, idempotency_key=idempotency_key)
    return sight_of(request.user, number_of(key))


@router.post("/orders/{key}/drop", response=Sight, summary="Drop")
def drop(request: PersonRequest, key: Key, asked: Reason, idempotency_key: IdempotencyKey) -> Any:
    """The part done is paid out, the client gets the rest back. Staff gives a reason."""
    services.order_drop(order_id=number_of(key), by=request.user, reason=asked.reason, idempotency_key=idempotency_key)
    return sight_of(request.user, number_of(key))


@router.post("/orders/{key}/dispute", response=Sight, summary="Open a dispute")
def dispute(request: PersonRequest, key: Key, asked: Reason) -> Any:
    """By the client or staff. From then on payouts are held, until a manager resolves it."""
    services.order_dispute(order_id=number_of(key), by=request.user, reason=asked.reason)
    return sight_of(request.user, number_of(key))


@router.post("/orders/{key}/resolve", response=Sight, summary="Resolve the dispute")
def resolve(request: PersonRequest, key: Key, asked: Resolution, idempotency_key: IdempotencyKey) -> Any:
    """By staff, once: what was held is paid out, or the client gets his price of those parts back."""
    services.order_resolve(
        order_id=number_of(key),
        by=request.user,
        outcome=asked.outcome,
        dispute=asked.dispute,
        reason=asked.reason,
        idempotency_key=idempotency_key,
    )
    return sight_of(request.user, number_of(key))


@router.get("/orders/{key}/disputes", response=list[DisputeSight], summary="The disputes of an order")
def disputes(request: PersonRequest, key: Key) -> Any:
    """Newest first; none for a booster who looks for an order."""
    return disputes_for(request.user, order_for(request.user, number_of(key)))


@router.post("/orders/{key}/write_note", response=Sight, summary="Write the note")
def write_note(request: PersonRequest, key: Key, asked: Note) -> Any:
    services.order_write_note(order_id=number_of(key), note=asked.note, by=request.user)
    return sight_of(request.user, number_of(key))


@router.post("/orders/{key}/reprice", response=Sight, summary="Change the price")
def reprice(request: PersonRequest, key: Key, asked: Prices, idempotency_key: IdempotencyKey) -> Any:
    """The client pays or gets back the difference at once; once for each idempotency key."""
    services.order_reprice(
        order_id=number_of(key),
        actual_price=asked.actual_price,
        booster_price=asked.booster_price,
        seen=prices_seen(asked.seen_actual_price, asked.seen_booster_price),
        reason=asked.reason,
        by=request.user,
        idempotency_key=idempotency_key,
    )
    return sight_of(request.user, number_of(key))
