"""Orders over HTTP: read as the viewer sees them, and every verb of the transition table that knows no game.

Views translate: who may what is for the services, what is seen is for the feed.
"""

from typing import Any

from ninja import Query, Router

from accounts.api import PersonRequest
from accounts.models import Role, User
from orders import exceptions as rules
from orders import services
from orders.disputes import DisputeSight, disputes_for
from orders.exceptions import OrderNotFound
from orders.feeds import OrderFeed
from orders.money import prices_seen
from orders.schemas import (
    Assignment,
    IdempotencyKey,
    Key,
    Note,
    Orders,
    Prices,
    Reason,
    Resolution,
    Sight,
    Wanted,
    number_of,
)
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
