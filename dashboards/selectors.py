"""What a page shows: the same frames that the socket sends, so that nothing is on a page that is not on the wire."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet

from accounts.models import STAFF_ROLES, Role, User
from dashboards.game_pages import GamePage, Way, game_page
from orders.audience import BOOSTER, CLIENT, PROSPECT
from orders.disputes import DisputeSight, disputes_for
from orders.exceptions import OrderNotFound
from orders.feeds import OrderFeed
from orders.models import OPEN, BaseOrder, Decision, Status
from orders.selectors import order_for, order_offers, order_verbs, orders_available, orders_of
from realtime import head
from vault.selectors import AccountSight, account_sight
from wallet.models import Transaction
from wallet.selectors import transactions_of_order

ROWS = 20  # orders on a page of a list
COLUMNS = ("client_username", "booster_username", "status", "progress", "actual_price", "booster_price")


@dataclass(frozen=True, slots=True)
class Sight:
    """One order as one person sees it. ``order`` is for services and forms; templates show ``frame``."""

    order: BaseOrder
    frame: head.Frame
    verbs: list[str]
    options: list[str]
    page: GamePage | None
    way: Way | None
    ledger: Sequence[Transaction] = ()
    decisions: Sequence[Decision] = ()
    disputes: Sequence[DisputeSight] = ()
    account: AccountSight | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """An order in a list."""

    frame: head.Frame
    may_claim: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class Shelf:
    """One list of orders: what stands on it, and what it says when nothing does."""

    name: str
    title: str
    empty: str
    orders: QuerySet[BaseOrder]
    columns: tuple[str, ...]
    is_filtered: bool = True

    @property
    def topic(self) -> str:
        """The board that the script follows: it has the same orders."""
        return f"orders:{self.name}"


@dataclass(frozen=True, slots=True)
class ShelfPage:
    """A page of a shelf, ready to be shown. ``counts`` are those of the statuses, for the filter."""

    shelf: Shelf
    page: Page
    rows: list[Row]
    counts: list[tuple[str, int]]
    criteria: Mapping[str, Any]

    @property
    def filter(self) -> str:
        """The same criteria as a board takes them, as JSON."""
        return json.dumps(board_filter(self.criteria))

    @property
    def total(self) -> int:
        return sum(number for status, number in self.counts if status != "open")

    @property
    def parameter(self) -> str:
        return page_parameter(self.shelf)

    @property
    def seen(self) -> tuple[object, ...]:
        """What tells this page from an older one."""
        rows = [(row.frame["order_id"], row.frame["version"], row.may_claim) for row in self.rows]
        return self.shelf.name, self.page.number, self.page.paginator.count, self.counts, rows


def order_key(text: str) -> int:
    """Return the key that ``text`` writes, or refuse it like a missing order."""
    key = OrderFeed.key(text)
    if key is None:
        raise OrderNotFound(text)
    return int(key)


def frames_for(user: User, order_ids: Collection[int]) -> dict[int, head.Frame]:
    """Return the newest frame of each order that ``user`` may see, masked for him."""
    return head.frames_for(OrderFeed, order_ids, OrderFeed.viewer(user))


def sight_for(user: User, text: str) -> Sight:
    """Return the order that ``text`` names as ``user`` sees it; missing and forbidden look the same."""
    order = order_for(user, order_key(text))
    frame = frames_for(user, [order.pk]).get(order.pk)
    if frame is None:
        raise OrderNotFound(order.pk)
    page = game_page(order.game)
    return Sight(
        order=order,
        frame=frame,
        verbs=order_offers(user, order),
        options=[name for name in ("duo", "streaming", "turbo") if getattr(order, name)],
        page=page,
        way=page.way(order) if page else None,
        ledger=list(transactions_of_order(user, order)),
        decisions=list(decisions_of(user, order)),
        disputes=disputes_for(user, order),
        account=account_sight(user, order),
    )


def decisions_of(user: User, order: BaseOrder) -> QuerySet[Decision]:
    """Return why staff changed ``order``, newest first; nothing for anybody but staff."""
    rows = order.decisions.select_related("by")
    return rows if user.role in STAFF_ROLES else rows.none()


def boosters() -> QuerySet[User]:
    """Return who can play an order."""
    return User.objects.filter(role=Role.BOOSTER, is_active=True).order_by("username")


def shelves_for(user: User) -> list[Shelf]:
    """Return the lists on ``user``'s page."""
    mine = orders_of(user)
    if user.role == Role.BOOSTER:
        waiting = "No order is waiting for a booster just now. New ones appear here by themselves."
        return [
            Shelf("mine", "My orders", "Nothing is assigned to you. Claim an order below.", mine, _columns(BOOSTER)),
            Shelf("available", "Available to claim", waiting, orders_available(), _columns(PROSPECT), False),
        ]
    if user.role == Role.CLIENT:
        empty = "You have no orders yet. Order your first boost."
        return [Shelf("mine", "My orders", empty, mine, _columns(CLIENT))]
    return [Shelf("all", "All orders", "There are no orders.", mine, _columns(user.role))]


def _columns(audience: str) -> tuple[str, ...]:
    shown = OrderFeed.shown(audience)
    own = {CLIENT: "client_username", BOOSTER: "booster_username", PROSPECT: "booster_username"}.get(audience)
    return tuple(name for name in COLUMNS if name in shown and name != own)


def orders_filtered(
    orders: QuerySet[BaseOrder], *, status: str = "", booster: User | None = None, game: str = ""
) -> QuerySet[BaseOrder]:
    """Return those of ``orders`` that match; ``status`` "open" stands for all that are not over."""
    if status == "open":
        orders = orders.filter(status__in=OPEN)
    elif status:
        orders = orders.filter(status=status)
    if booster:
        orders = orders.filter(booster=booster)
    return orders.filter(game=game) if game else orders


def board_filter(criteria: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a board is asked for so that it lists what ``orders_filtered`` does.

    >>> board_filter({"status": "Paused", "game": "chess"})
    {'status': ['Paused'], 'game': 'chess'}
    """
    found: dict[str, Any] = {}
    if status := criteria.get("status"):
        found["status"] = sorted(map(str, OPEN)) if status == "open" else [status]
    if booster := criteria.get("booster"):
        found["booster"] = booster.pk
    if game := criteria.get("game"):
        found["game"] = game
    return found


def status_counts(orders: QuerySet[BaseOrder]) -> dict[str, int]:
    """Return how many of ``orders`` are in each status, in the order of an order's life; one query."""
    found = Counter(dict(orders.order_by().values_list("status").annotate(Count("pk"))))
    return {"open": sum(found[status] for status in OPEN)} | {str(status): found[status] for status in Status}


def page_parameter(shelf: Shelf) -> str:
    """Return the name that holds the page's number in an address."""
    return f"{shelf.name}-page"


def shelf_pages(user: User, *, criteria: dict[str, Any], numbers: Mapping[str, str]) -> list[ShelfPage]:
    """Return the lists of ``user`` with their filters and pages applied."""
    return [_shelf_page(user, shelf, criteria, numbers.get(page_parameter(shelf))) for shelf in shelves_for(user)]


def _shelf_page(user: User, shelf: Shelf, criteria: dict[str, Any], number: str | None) -> ShelfPage:
    if not shelf.is_filtered:
        return ShelfPage(shelf, *_rows(user, shelf.orders, number), counts=[], criteria={})
    without_status = {name: value for name, value in criteria.items() if name != "status"}
    counts = status_counts(orders_filtered(shelf.orders, **without_status))
    page, rows = _rows(user, orders_filtered(shelf.orders, **criteria), number)
    return ShelfPage(shelf, page, rows, list(counts.items()), criteria)


def _rows(user: User, orders: QuerySet[BaseOrder], number: str | None) -> tuple[Page, list[Row]]:
    """Return one page of ``orders`` and its rows; what changed hands meanwhile is left out."""
    page = Paginator(orders, ROWS).get_page(number)
    frames = frames_for(user, [order.pk for order in page])
    rows = [
        Row(frames[order.pk], "claim" in order_verbs(user, order), order.status in OPEN)
        for order in page
        if order.pk in frames
    ]
    return page, rows
