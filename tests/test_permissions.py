"""Declarations and page say what ``tests/rights.py`` says by hand, and every verb does over HTTP what stands there."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.contrib.admindocs.views import simplify_regex
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import User
from gameBoosterss.development import permissions
from games.league_of_legends.ladder import Position
from games.league_of_legends.models import LeagueOfLegendsDivisionOrder
from games.league_of_legends.services import division_order_extend, division_order_report
from orders import services
from orders.feeds import OrderFeed
from orders.models import BaseOrder, Decision, Dispute, HeldPayout, Post, Status
from realtime.feeds import Field, Many, Slot
from realtime.models import Event
from realtime.testing import capture_at_once
from tests import rights
from tests.people import Cast, cast, order_of
from tests.permissions import lines, table
from wallet.models import Transaction

PREFIX = "/api/games/league-of-legends"
BODIES: dict[str, dict[str, Any]] = {
    "report": {"reached": {"rank": "Gold", "division": 1}},
    "extend": {"desired": {"rank": "Master"}},
    "reprice": {"actual_price": "400.00", "booster_price": "200.00", "reason": "agreed"},
    "drop": {"reason": "asked for"},
    "dispute": {"reason": "nothing was played"},
    "resolve": {"outcome": "paid", "reason": "agreed"},
    "write_note": {"note": "Mornings, please."},
}
MISSING = ("987654321", "-1", "1e3", "٣", str(2**63), "%00")
COLUMNS = {
    "its client": "client",
    "its booster": "booster",
    "another booster": "other_booster",
    "another client": "other_client",
    "manager": "manager",
    "admin": "admin",
}
OF_NOBODY = {"a booster, nobody has it": "other_booster", "its client": "client", "manager": "manager"}
"""Who tries what on an order that nobody plays."""


def test_the_page_is_what_the_declarations_say() -> None:
    said = permissions.DOCUMENT.read_text()
    assert said == permissions.text(), "python -m gameBoosterss.development.permissions write"


def declared(field: Field | Slot | Many, audience: str) -> str:
    if field.to is None or audience in field.to:
        return "shown"
    return "opened" if audience in field.opened else "null"


def test_the_fields_are_declared_and_written_as_the_contract_says() -> None:
    found = {
        name: {audience: declared(field, audience) for audience in OrderFeed.audiences}
        for name, field in OrderFeed.fields.items()
    }
    assert found == rights.fields()
    page = table("Fields")
    words = {"shown": "shown", "opened": "shown when open", "null": "null"}
    assert page == {n: {who: words[cell] for who, cell in cells.items()} for n, cells in rights.fields().items()}


def test_the_verbs_are_written_as_the_contract_says() -> None:
    found = {
        verb: {who: frozenset(Status(s) for s in cell.split(", ") if s != "–") for who, cell in cells.items()}
        for verb, cells in table("Verbs").items()
    }
    assert found == rights.verbs()


def test_the_boards_are_written_as_the_contract_says() -> None:
    _, *rows = lines("Boards")
    assert [[row[0].strip("`"), *row[1:]] for row in rows] == rights.boards_on_the_page()


def test_an_endpoint_of_which_nobody_says_whose_it_is_stops_the_page() -> None:
    with pytest.raises(SystemExit, match="who gets what"):
        permissions.check([*permissions.ENDPOINTS, "GET /api/secrets"])
    with pytest.raises(SystemExit, match="who gets what"):
        permissions.check([name for name in permissions.ENDPOINTS if name != "GET /api/me"])


def addresses(patterns: Iterable[URLPattern | URLResolver], prefix: str = "/") -> Iterator[str]:
    """Yield the paths that Django answers."""
    for each in patterns:
        path = prefix + simplify_regex(str(each.pattern)).removeprefix("/")
        if isinstance(each, URLResolver):
            yield from addresses(each.url_patterns, path)
        else:
            yield re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)


def test_every_path_of_the_api_is_on_the_page_or_is_a_verb() -> None:
    here = {path for path in addresses(get_resolver().url_patterns) if path.startswith("/api/")}
    here -= {path for path in here if path.startswith(permissions.other_feeds())} | {"/api/"}  # which is a 404
    page = {name.split()[1] for name in table("Endpoints")}
    assert {path for path in here if path.rpartition("/")[2] not in rights.verbs()} == page
    games = ("report", "extend")
    assert here - page == {f"{PREFIX if verb in games else '/api'}/orders/{{key}}/{verb}" for verb in rights.verbs()}


def test_the_command_prints_the_tables_of_a_feed(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("realtime_permissions", "--feed", "order")
    printed = capsys.readouterr().out
    assert "| `last_payout` | null | shown | null | shown | shown |" in printed
    assert "| `orders:all` | manager | all |" in printed


@pytest.fixture
def people(db: None) -> Cast:
    capture_at_once()
    return cast()


class Doors:
    """The verbs over HTTP, for each of the cast in a browser of his own."""

    def __init__(self, people: Cast) -> None:
        self.people = people
        self.browsers = {name: Client() for name in COLUMNS.values()}
        for name, browser in self.browsers.items():
            browser.force_login(self.user(name))

    def user(self, name: str) -> User:
        found: User = getattr(self.people, name)
        return found

    def post(self, who: str, verb: str, key: object) -> tuple[int, str, bytes]:
        """Return status, rule and body of the answer."""
        prefix = PREFIX if verb in ("report", "extend") else "/api"
        body = BODIES.get(verb, {"booster": self.people.other_booster.pk})
        answer = self.browsers[who].post(
            f"{prefix}/orders/{key}/{verb}", body, content_type="application/json", headers={"Idempotency-Key": "one"}
        )
        rule = "" if answer.status_code == 200 else json.loads(answer.content).get("error", {}).get("code", "")
        return answer.status_code, rule, answer.content


def walk(order: BaseOrder, people: Cast, status: Status) -> BaseOrder:
    """Bring a New order with a chosen booster to ``status``, by the services."""
    staff, pk = people.manager, order.pk
    if status != Status.NEW:
        services.order_claim(order_id=pk, booster=people.booster)
    match status:
        case Status.PAUSED:
            services.order_pause(order_id=pk, by=staff)
        case Status.EXTEND:
            goal = Position("Diamond", 2)
            division_order_extend(order_id=pk, desired=goal, by=people.client, idempotency_key=f"extend-{pk}")
        case Status.DONE:
            services.order_finish(order_id=pk, by=staff)
        case Status.DROPPED:
            services.order_drop(order_id=pk, by=staff, reason="asked for")
    return BaseOrder.objects.get(pk=pk)


def played(people: Cast, status: Status) -> BaseOrder:
    return walk(order_of(people.client, booster=people.booster), people, status)


def unplayed(people: Cast, status: Status) -> BaseOrder | None:
    """Return an order of nobody in ``status``, if there is such a thing."""
    if status not in (Status.NEW, Status.DROPPED):
        return None
    order = order_of(people.client)
    return services.order_drop(order_id=order.pk, by=people.client) if status == Status.DROPPED else order


def disputed(people: Cast, status: Status) -> BaseOrder:
    """Return an order with an open dispute that holds a payout."""
    order = played(people, Status.CONTINUE)
    division_order_report(order_id=order.pk, reached=Position("Gold", 1), by=people.booster)
    services.order_dispute(order_id=order.pk, by=people.client, reason="nothing was played")
    services.order_release(order_id=order.pk, by=people.booster)
    BaseOrder.objects.filter(pk=order.pk).update(booster=people.booster)  # chosen again
    assert HeldPayout.objects.filter(dispute__order=order, outcome="").exists()
    return walk(order, people, status)


def at_the_goal(people: Cast, status: Status) -> BaseOrder:
    """Return an order at 100 %. An extended one is so by no service: the next report makes it Continue."""
    order = played(people, Status.CONTINUE)
    division_order_report(order_id=order.pk, reached=Position("Diamond", 1), by=people.booster)
    BaseOrder.objects.filter(pk=order.pk).update(status=status)
    return BaseOrder.objects.get(pk=order.pk)


SITUATIONS = {"resolve": disputed, "finish": at_the_goal}
"""What a verb needs besides the status; the others need nothing."""


def everything() -> list[list[Any]]:
    """Return whatever a verb can change."""
    models = (BaseOrder, LeagueOfLegendsDivisionOrder, Decision, Dispute, HeldPayout, Post, Transaction)
    versions = Event.objects.order_by("pk").values_list("topic", "version", "state")
    return [*(list(model._base_manager.order_by("pk").values()) for model in models), list(versions)]


def does(doors: Doors, who: str, verb: str, order: BaseOrder, cell: str) -> None:
    """Assert that it is done, and undo it."""
    with transaction.atomic():
        code, _, said = doors.post(who, verb, order.pk)
        assert code == 200, f"{cell}: {code} {said[:300]!r}"
        now = BaseOrder.objects.get(pk=order.pk)
        assert now.status == rights.LEADS_TO.get(verb, order.status), f"{cell}: it is {now.status}"
        assert now.message != order.message, f"{cell}: {now.message}"
        transaction.set_rollback(True)


def tries(people: Cast, status: Status, verb: str) -> list[tuple[str, str, BaseOrder]]:
    """Return who stands in which column for which order."""
    order, free = SITUATIONS.get(verb, played)(people, status), unplayed(people, status)
    found = [(column, who, order) for column, who in COLUMNS.items()]
    return found + [(column, who, free) for column, who in OF_NOBODY.items() if free and verb not in SITUATIONS]


def refusals(verb: str, column: str, status: Status) -> set[tuple[int, str]]:
    """Return how somebody is refused: who never may, who may in another status, who sees no such order."""
    if column.startswith("another") or (column.startswith("a booster") and status != Status.NEW):
        return {(409, "order_taken") if verb == "claim" else (404, "order_not_found")}
    if not rights.verbs()[verb][column] or (verb, column) == ("drop", "its client"):  # an order that runs is not his
        return {(403, "not_allowed")}
    return {(409, "wrong_status")}


@pytest.mark.parametrize("status", list(Status))
def test_each_verb_is_done_where_it_may_be_and_refused_elsewhere(people: Cast, status: Status) -> None:
    doors, unseen = Doors(people), set()
    for verb, cells in rights.verbs().items():
        refused = []
        for column, who, order in tries(people, status, verb):
            cell = f"{verb} by {who} ({column}) while {status}"
            if status in cells[column]:
                does(doors, who, verb, order, cell)
            else:
                refused.append((column, who, order, cell))
        before = everything()
        for column, who, order, cell in refused:
            code, rule, said = doors.post(who, verb, order.pk)
            assert (code, rule) in refusals(verb, column, status), f"{cell}: {code} {said[:300]!r}"
            if code == 404 or rule == "order_taken":
                unseen.add((verb, who, said))
        assert everything() == before, f"{verb} was refused while {status}, and something changed"
    keys = MISSING if status == Status.NEW else MISSING[:1]
    for verb, who, said in unseen:
        missing = {doors.post(who, verb, key)[2] for key in keys}
        assert missing == {said}, f"{verb} by {who}: forbidden and missing look the same"
