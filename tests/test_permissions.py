"""The page of permissions is what the declarations say, and every verb does over HTTP what stands there."""

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client

from accounts.models import User
from gameBoosterss.development import permissions
from orders.models import BaseOrder, Status
from realtime.testing import capture_at_once
from tests.people import Cast, cast
from tests.permissions import table

PREFIX = "/api/games/league-of-legends"
BODIES: dict[str, dict[str, Any]] = {
    "report": {"reached": {"rank": "Gold", "division": 1}},
    "extend": {"desired": {"rank": "Master"}},
    "reprice": {"actual_price": "400.00", "booster_price": "200.00", "reason": "agreed"},
    "drop": {"reason": "asked for"},
    "dispute": {"reason": "nothing was played"},
    "resolve": {"outcome": "refunded", "reason": "agreed"},
    "write_note": {"note": "Mornings, please."},
}
ODD = ("-1", "1e3", "٣", str(2**63), "%00")


def test_the_page_is_what_the_declarations_say() -> None:
    said = permissions.DOCUMENT.read_text()
    assert said == permissions.text(), "python -m gameBoosterss.development.permissions write"


def test_an_endpoint_of_which_nobody_says_whose_it_is_stops_the_page() -> None:
    with pytest.raises(SystemExit, match="who gets what"):
        permissions.who("GET", "/api/secrets")


def test_two_methods_of_a_path_are_for_whom_each_is() -> None:
    path = "/api/orders/{key}/account"
    assert "booster" in permissions.who("GET", path)
    assert permissions.who("POST", path) == "its client, until the order is over"


def test_the_command_prints_the_tables_of_a_feed(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("realtime_permissions", "--feed", "order")
    printed = capsys.readouterr().out
    assert "| `last_payout` | null | shown | null | shown | shown |" in printed
    assert "| `orders:all` | manager | all |" in printed


@pytest.fixture
def people(db: None) -> Cast:
    capture_at_once()
    return cast()


def post(user: User, verb: str, key: object, body: dict[str, Any]) -> tuple[int, bytes]:
    """Return status and body of the answer; what was done is undone."""
    browser = Client()
    with transaction.atomic():
        browser.force_login(user)
        prefix = PREFIX if verb in ("report", "extend") else "/api"
        answer = browser.post(
            f"{prefix}/orders/{key}/{verb}", body, content_type="application/json", headers={"Idempotency-Key": "one"}
        )
        transaction.set_rollback(True)
    return answer.status_code, answer.content


def column(people: Cast, who: str, order: BaseOrder) -> str:
    """Return the column of the table that ``who`` is in for ``order``."""
    user = getattr(people, who)
    if user.role == "booster" and order.booster_id is None:
        return "a booster, nobody has it"
    return {
        "client": "its client",
        "booster": "its booster",
        "other_client": "another client",
        "other_booster": "another booster",
    }.get(who, user.role)


@pytest.mark.parametrize("status", list(Status))
def test_each_verb_is_allowed_where_the_page_says_so(people: Cast, status: Status) -> None:
    order, rows = people.order, table("Verbs")
    order.status = status
    order.booster = None if status == Status.NEW else people.booster
    order.save()
    unseen = set()
    for verb, cells in rows.items():
        body = BODIES.get(verb, {"booster": people.other_booster.pk})
        for who in ("client", "booster", "other_client", "other_booster", "manager", "admin"):
            column_of = column(people, who, order)
            code, said = post(getattr(people, who), verb, order.pk, body)
            rule = json.loads(said).get("error", {}).get("code", "") if code != 200 else ""
            cell = f"{verb} by {who} ({column_of}) while {status}: {code} {said[:200]!r}"
            is_unseen = column_of.startswith("another") or (column_of.startswith("a booster") and status != Status.NEW)
            if status in cells[column_of].split(", "):
                assert code == 200 or (code == 409 and rule not in ("not_allowed", "wrong_status")), cell
            elif is_unseen:
                assert code in (404, 409), cell
                unseen.add((verb, code, said))
            else:
                assert (code, rule) in ((403, "not_allowed"), (409, "wrong_status")), cell
    for verb in rows:
        missing = {
            post(people.other_client, verb, key, BODIES.get(verb, {"booster": people.other_booster.pk}))
            for key in ("987654321", *ODD)
        }
        assert {(code, said) for v, code, said in unseen if v == verb} <= missing, "forbidden and missing look the same"
        assert len(missing) == 1, missing
