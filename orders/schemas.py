"""What comes and goes over HTTP: the shapes of orders, and of what is asked of them."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from ninja import Header, Schema
from pydantic import Field

from orders.feeds import OrderFeed
from orders.models import Status

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
