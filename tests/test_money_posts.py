"""Every post that moves money, over HTTP and on the pages: repeated, raced, and with another body under its key."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_report
from orders.models import Post
from orders.services import order_dispute, order_finish
from orders.tests.threads import at_once
from tests.people import Cast, cast
from wallet.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
GAME = "/games/league-of-legends"
JSON = {"Accept": "application/json"}
WAY = {"current": {"rank": "Silver", "division": 1}, "desired": {"rank": "Gold", "division": 1}}
FORM = {"current": "Silver-1", "marks": "0", "desired": "Gold-1"}
PRICES = {"actual_price": "300.00", "booster_price": "200.00", "reason": "Harder."}


@dataclass(frozen=True)
class Case:
    """Who posts what where, over HTTP and on a page; ``other`` is what makes it another request."""

    who: str
    api: str
    page: str
    body: dict[str, Any]
    fields: dict[str, Any]
    other: tuple[dict[str, Any], dict[str, Any]] | None
    rows: int
    before: Callable[[Cast], object] = lambda people: None


def under_way(people: Cast) -> None:
    division_order_report(order_id=people.order.pk, reached=Position("Gold", 1), by=people.booster)


def disputed(people: Cast) -> None:
    order_dispute(order_id=people.order.pk, by=people.client, reason="It went down.")
    order_finish(order_id=people.order.pk, by=people.manager)


CASES = {
    "place": Case(
        "client", f"{GAME}/orders", "/orders/new/league-of-legends/", WAY, FORM,
        ({"note": "x"}, {"note": "x"}), 1,
    ),
    "extend": Case(
        "client", f"{GAME}/orders/{{}}/extend", "/orders/{}/extend/",
        {"desired": {"rank": "Diamond", "division": 2}}, {"goal": "Diamond-2"},
        ({"desired": {"rank": "Diamond", "division": 3}}, {"goal": "Diamond-3"}), 1,
    ),
    "reprice": Case(
        "manager", "/orders/{}/reprice", "/orders/{}/reprice/", PRICES, PRICES,
        ({"actual_price": "301.00"}, {"actual_price": "301.00"}), 1,
    ),
    "release": Case("manager", "/orders/{}/release", "/orders/{}/release/", {}, {}, None, 1, under_way),
    "finish": Case("manager", "/orders/{}/finish", "/orders/{}/finish/", {}, {}, None, 1),
    "drop": Case(
        "manager", "/orders/{}/drop", "/orders/{}/drop/", {"reason": "Asked."}, {"reason": "Asked."},
        ({"reason": "Wanted."}, {"reason": "Wanted."}), 1,
    ),
    "resolve": Case(
        "manager", "/orders/{}/resolve", "/orders/{}/resolve/",
        {"outcome": "paid", "reason": "Fine."}, {"outcome": "paid", "reason": "Fine."},
        ({"outcome": "refunded"}, {"outcome": "refunded"}), 1, disputed,
    ),
}  # fmt: skip


class Door:
    """One way to send a case: over HTTP or by a page's form."""

    def __init__(self, case: Case, people: Cast, *, by_page: bool) -> None:
        self.case, self.people, self.by_page = case, people, by_page

    def send(self, key: str = "one", *, other: bool = False) -> tuple[int, str]:
        """Post it; return the status and what was said."""
        case, order = self.case, self.people.order.pk
        browser = Client()
        browser.force_login(getattr(self.people, case.who))
        change = (case.other or ({}, {}))[self.by_page] if other else {}
        if self.by_page:
            fields = {**case.fields, **change, "idempotency_key": key}
            answer = browser.post(case.page.format(order), fields, headers=JSON)
        else:
            path = "/api" + case.api.format(order)
            headers = {"Idempotency-Key": key}
            answer = browser.post(path, {**case.body, **change}, content_type="application/json", headers=headers)
        return answer.status_code, answer.content.decode()


def rows() -> int:
    return Transaction.objects.count()


@pytest.fixture(params=["http", "page"])
def by_page(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "page")


@pytest.fixture(params=CASES)
def door(request: pytest.FixtureRequest, by_page: bool) -> Door:
    case, people = CASES[request.param], cast()
    case.before(people)
    return Door(case, people, by_page=by_page)


def test_sent_again_it_is_answered_and_moves_nothing_more(door: Door) -> None:
    before = rows()
    assert {door.send()[0] for _ in range(3)} <= {200, 201}
    assert rows() == before + door.case.rows
    assert Post.objects.filter(key="one").count() == 1


@pytest.mark.parametrize("door", [name for name, case in CASES.items() if case.other], indirect=True)
def test_another_request_under_the_key_is_refused(door: Door) -> None:
    door.send()
    before = rows()
    status, said = door.send(other=True)
    assert status == (409 if door.by_page else 422)
    assert "was used for another request" in said
    assert rows() == before


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no row locks")
def test_raced_it_moves_the_money_once(door: Door) -> None:
    before = rows()
    answers = at_once(*[partial(door.send)] * 4)
    assert {answer[0] for answer in answers} <= {200, 201}, answers
    assert rows() == before + door.case.rows
    assert Post.objects.filter(key="one").count() == 1


@pytest.mark.parametrize("door", ["place"], indirect=True)
def test_a_purchase_sent_again_is_answered_though_the_booster_it_wished_was_disabled(door: Door) -> None:
    booster = door.people.other_booster
    for asked in (door.case.body, door.case.fields):
        asked["booster"] = booster.pk
    try:
        first = door.send()
        booster.is_active = False
        booster.save()
        before = rows()
        assert (door.send()[0], rows()) == (first[0], before)
        status, said = door.send("two")
        assert status == (409 if door.by_page else 422)
        assert "Only an active booster can play an order" in said
        for asked in (door.case.body, door.case.fields):
            asked["booster"] = 2**62
        assert door.send("two") == (status, said), "nobody looks the same"
    finally:
        for asked in (door.case.body, door.case.fields):
            del asked["booster"]


def test_here_is_every_verb_that_moves_money() -> None:
    from dashboards.actions import KEYED

    assert CASES.keys() - {"place"} == KEYED
