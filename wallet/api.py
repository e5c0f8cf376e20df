"""The ledger over HTTP: everybody his own rows, staff all."""

import datetime
from decimal import Decimal
from typing import Any

from ninja import Query, Router, Schema
from pydantic import Field

from accounts.api import PersonRequest
from orders.schemas import MOST, Key, RowId, number_of
from orders.selectors import order_for
from wallet.exceptions import WalletError
from wallet.selectors import transactions_of, transactions_of_order, user_books

router = Router(tags=["wallet"])

STATUSES: dict[type[Exception], int] = {WalletError: 409}


class Row(Schema):
    """Money that moved."""

    id: int
    order_id: int
    user_id: int
    kind: str
    amount: Decimal
    status: str
    created_at: datetime.datetime


class Rows(Schema):
    """A page of rows, newest first; ``next`` is the ``below`` of the following one."""

    transactions: list[Row]
    next: int | None


class Sums(Schema):
    """What somebody paid, earned and got back."""

    payments: Decimal
    payouts: Decimal
    refunds: Decimal


class Wanted(Schema):
    below: RowId | None = None
    limit: int = Field(50, ge=1, le=MOST)


@router.get("/wallet", response=Sums, summary="My sums")
def sums(request: PersonRequest) -> Any:
    return user_books(request.user)


@router.get("/wallet/transactions", response=Rows, summary="My rows of the ledger")
def transactions(request: PersonRequest, wanted: Query[Wanted]) -> Any:
    rows = transactions_of(request.user)
    if wanted.below is not None:
        rows = rows.filter(pk__lt=wanted.below)
    found = list(rows[: wanted.limit + 1])
    page = found[: wanted.limit]
    return {"transactions": page, "next": page[-1].pk if found[wanted.limit :] else None}


@router.get("/orders/{key}/transactions", response=list[Row], summary="The rows of an order")
def order_transactions(request: PersonRequest, key: Key) -> Any:
    return transactions_of_order(request.user, order_for(request.user, number_of(key)))
