"""Account data over HTTP: given by the client, shown on demand."""

import datetime
from typing import Any

from ninja import Router, Schema
from pydantic import Field

from accounts.address import whole_address_of
from accounts.api import PersonRequest
from orders.exceptions import NotAllowed
from orders.schemas import Key, number_of
from orders.selectors import order_for
from vault import exceptions, services
from vault.access import READS
from vault.selectors import account_sight

router = Router(tags=["account data"])

STATUSES: dict[type[Exception], int] = {
    exceptions.VaultError: 409,
    exceptions.BadAccount: 422,
    exceptions.AccountLocked: 503,
}


class Given(Schema):
    """What opens the game account."""

    login: str = Field(examples=["carla"])
    password: str = Field(json_schema_extra={"format": "password"})
    remarks: str = Field("", description="A region, a second factor, or what else is needed.")


class ReadBy(Schema):
    username: str
    role: str
    at: datetime.datetime


class AccountState(Schema):
    """Whether account data is there. ``readings``: the 50 newest, for the client alone."""

    given: bool
    changed_at: datetime.datetime | None
    may_read: bool
    readings: list[ReadBy]


def state_of(request: PersonRequest, key: str) -> dict[str, Any]:
    sight = account_sight(request.user, order_for(request.user, number_of(key)))
    if sight is None:
        raise NotAllowed(f"You may not do this to order {number_of(key)}. {READS}")
    return {
        "given": sight.is_given,
        "changed_at": sight.changed_at,
        "may_read": sight.may_read,
        "readings": [
            {"username": reading.reader.username, "role": reading.role, "at": reading.at} for reading in sight.readings
        ],
    }


@router.get("/orders/{key}/account", response=AccountState, summary="Whether account data is given")
def account(request: PersonRequest, key: Key) -> Any:
    """For the client of the order, and for its booster while he plays it. Shows nothing of the data."""
    return state_of(request, key)


@router.post("/orders/{key}/account", response=AccountState, summary="Give or change the account data")
def write(request: PersonRequest, key: Key, asked: Given) -> Any:
    """By the client, until the order is over. It is encrypted, and takes the place of what was there."""
    services.account_write(order_id=number_of(key), by=request.user, **asked.dict())
    return state_of(request, key)


@router.post("/orders/{key}/account/read", response=Given, summary="Be shown the account data")
def read(request: PersonRequest, key: Key) -> Any:
    """By the client, and by the booster while the order is Continue, Paused or Extend. Each reading is written down."""
    return services.account_read(order_id=number_of(key), by=request.user, address=whole_address_of(request))


@router.post("/orders/{key}/account/erase", response=AccountState, summary="Erase the account data")
def erase(request: PersonRequest, key: Key) -> Any:
    """By the client, at any time."""
    services.account_erase(order_id=number_of(key), by=request.user)
    return state_of(request, key)
