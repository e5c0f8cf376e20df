"""Division orders over HTTP: what they cost, placing, reporting and extending."""

from decimal import Decimal
from typing import Any

from ninja import Router, Schema
from pydantic import Field

from accounts.api import PersonRequest
from games.league_of_legends.division import DivisionGame
from games.league_of_legends.exceptions import BadPosition, GoalTooLow
from games.league_of_legends.ladder import Position
from games.league_of_legends.pricing import price
from games.league_of_legends.selectors import divisions_all
from games.league_of_legends.services import division_order_create, division_order_extend, division_order_report
from orders.api import sight_of
from orders.exceptions import OrderNotFound
from orders.options import Options
from orders.schemas import IdempotencyKey, Key, RowId, Sight, number_of
from orders.selectors import booster_wished, order_for

router = Router(tags=["League of Legends"])
STATUSES: dict[type[Exception], int] = {BadPosition: 422, GoalTooLow: 422}

PREFIX = f"/games/{DivisionGame.slug}"


class Place(Schema):
    """A place on the ladder: rank, division 1 (IV) to 4 (I), marks 0 to 5. Master and up have no division."""

    rank: str = Field(examples=["Gold"])
    division: int | None = None
    marks: int = 0

    def position(self) -> Position:
        return Position(self.rank, self.division, self.marks)


class Way(Schema):
    current: Place
    desired: Place
    duo: bool = False
    streaming: bool = False
    turbo: bool = False

    def options(self) -> Options:
        return Options(duo=self.duo, streaming=self.streaming, turbo=self.turbo)


class Purchase(Way):
    note: str = ""
    booster: RowId | None = Field(None, description="The booster that the client wishes; all may claim it without.")


class Quote(Schema):
    actual_price: Decimal


class Reached(Schema):
    reached: Place


class Goal(Schema):
    desired: Place


@router.post(f"{PREFIX}/quote", response=Quote, summary="What it costs")
def quote(request: PersonRequest, asked: Way) -> Any:
    """Places nothing."""
    return {"actual_price": price(asked.current.position(), asked.desired.position(), asked.options())}


@router.post(f"{PREFIX}/orders", response={201: Sight}, summary="Place and pay an order")
def place(request: PersonRequest, asked: Purchase, idempotency_key: IdempotencyKey) -> Any:
    """Once for each idempotency key: sent again, it answers with the order that the first one made."""
    made = division_order_create(
        client=request.user,
        current=asked.current.position(),
        desired=asked.desired.position(),
        options=asked.options(),
        note=asked.note,
        booster=None if asked.booster is None else booster_wished(asked.booster),
        idempotency_key=idempotency_key,
    )
    return 201, sight_of(request.user, made.order_id)


@router.post(f"{PREFIX}/orders/{{key}}/report", response=Sight, summary="Report progress")
def report(request: PersonRequest, key: Key, asked: Reached) -> Any:
    number = division_number(request, key)
    division_order_report(order_id=number, reached=asked.reached.position(), by=request.user)
    return sight_of(request.user, number)


@router.post(f"{PREFIX}/orders/{{key}}/extend", response=Sight, summary="Extend the goal")
def extend(request: PersonRequest, key: Key, asked: Goal, idempotency_key: IdempotencyKey) -> Any:
    """The difference is paid at once; once for each idempotency key."""
    number = division_number(request, key)
    division_order_extend(
        order_id=number, desired=asked.desired.position(), by=request.user, idempotency_key=idempotency_key
    )
    return sight_of(request.user, number)


def division_number(request: PersonRequest, key: str) -> int:
    """Return the number of a division order that the viewer sees; another game's order is missing here."""
    order = order_for(request.user, number_of(key))
    if not divisions_all().filter(order=order).exists():
        raise OrderNotFound(key)
    return order.pk
