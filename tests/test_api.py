"""The HTTP API: strangers learn nothing, each viewer gets his frame, the services' rules come through by name."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role, User
from accounts.tests.people import person
from orders import exceptions
from orders.exceptions import OrderError
from orders.models import BaseOrder
from realtime.models import Stream
from realtime.testing import capture_at_once
from tests.people import Cast, cast, order_of
from wallet.models import Transaction

pytestmark = pytest.mark.django_db

PLACE = {"current": {"rank": "Silver", "division": 1}, "desired": {"rank": "Gold", "division": 2}}
GAME = "/api/games/league-of-legends"
VERBS: dict[str, Any] = {
    "claim": {}, "assign": {"booster": 1}, "pause": {}, "resume": {}, "release": {}, "finish": {},
    "drop": {"reason": "x"}, "write_note": {"note": "x"},
    "reprice": {"actual_price": "1", "booster_price": "1", "reason": "x"},
}  # fmt: skip


@pytest.fixture
def people() -> Cast:
    capture_at_once()
    return cast()


class Browser:
    def __init__(self, user: User | None) -> None:
        self.client = Client()
        if user is not None:
            self.client.force_login(user)

    def get(self, path: str) -> Any:
        return self.client.get(f"/api{path}")

    def post(self, path: str, body: Any = None, key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        path = path if path.startswith("/api") else f"/api{path}"
        return self.client.post(path, body or {}, content_type="application/json", headers=headers)


def error_of(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    found = answer.json()
    assert found["status"] == answer.status_code
    assert found["error"]["message"] == found["detail"]
    return answer.status_code, found["error"]["code"]


def test_anonymous_people_are_told_to_log_in(people: Cast) -> None:
    nobody = Browser(None)
    for path in ("/me", "/orders", f"/orders/{people.order.pk}", "/orders/987654", "/orders/x", "/wallet"):
        assert error_of(nobody.get(path)) == (401, "not_authenticated")
    for verb, body in VERBS.items():
        assert error_of(nobody.post(f"/orders/{people.order.pk}/{verb}", body)) == (401, "not_authenticated")


def test_strangers_cannot_tell_an_order_from_none(people: Cast) -> None:
    keys = [str(people.order.pk), "987654", "0", "-1", "1e3", "٣", str(2**63), f"0{people.order.pk}", "x" * 500]
    before = BaseOrder.objects.values().get(pk=people.order.pk)
    for stranger in (people.other_client, people.other_booster):
        browser = Browser(stranger)
        for path in ("", "/transactions"):
            answers = [browser.get(f"/orders/{key}{path}") for key in keys]
            assert {error_of(answer) for answer in answers} == {(404, "order_not_found")}
            assert len({answer.content for answer in answers}) == 1
        for verb, body in VERBS.items():
            answers = [browser.post(f"/orders/{key}/{verb}", body, key="k") for key in keys]
            assert len({(answer.status_code, answer.content) for answer in answers}) == 1, verb
            assert error_of(answers[0])[0] == (409 if verb == "claim" else 404)
        for verb, body in {"report": {"reached": PLACE["desired"]}, "extend": {"desired": PLACE["desired"]}}.items():
            answers = [browser.post(f"{GAME}/orders/{key}/{verb}", body, key="k") for key in keys]
            assert {error_of(answer) for answer in answers} == {(404, "order_not_found")}
    assert BaseOrder.objects.values().get(pk=people.order.pk) == before


def test_no_answer_of_the_api_is_kept(people: Cast) -> None:
    browser, order = Browser(people.client), people.order.pk
    paths = [f"/orders/{order}{part}" for part in ("", "/transactions", "/disputes", "/account", "/state", "/events")]
    for path in ("/me", "/orders", "/orders/987654", "/wallet", "/wallet/transactions", "/openapi.json", *paths):
        for answer in (browser.get(path), Browser(None).get(path)):
            assert answer["Cache-Control"] == "private, no-store", path
    assert browser.post(f"/orders/{order}/pause")["Cache-Control"] == "private, no-store"


def test_who_may_not_assign_learns_nothing_of_boosters(people: Cast) -> None:
    disabled = person(Role.BOOSTER, is_active=False)
    path = f"/orders/{people.order.pk}/assign"
    for who in (people.client, people.booster):
        told = {
            Browser(who).post(path, {"booster": key}).content
            for key in (people.other_booster.pk, disabled.pk, people.client.pk, 987654)
        }
        assert len(told) == 1
        assert b"not_allowed" in told.pop()


def test_a_post_without_the_csrf_token_is_refused(people: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.client)
    answer = client.post(f"/api/orders/{people.order.pk}/pause", {}, content_type="application/json")
    assert error_of(answer) == (403, "csrf_failed")


@pytest.mark.parametrize("who", ["client", "booster", "manager", "admin"])
def test_each_viewer_gets_the_frame_that_his_stream_has(people: Cast, who: str) -> None:
    browser = Browser(getattr(people, who))
    state = browser.get(f"/orders/{people.order.pk}/state").json()
    assert browser.get(f"/orders/{people.order.pk}").json()["order"] == state
    (listed,) = browser.get("/orders").json()["orders"]
    assert listed == state
    assert (state["actual_price"] is None) == (who == "booster")
    assert (state["booster_price"] is None) == (who == "client")


def test_an_order_whose_newest_version_is_older_than_disputes_is_answered(people: Cast) -> None:
    stream = Stream.objects.get(topic=f"order.{people.order.pk}")
    stream.state.pop("disputed")
    stream.save()
    assert Browser(people.client).get(f"/orders/{people.order.pk}").json()["order"]["disputed"] is None
    assert Browser(people.client).client.get(f"/orders/{people.order.pk}/").status_code == 200
    assert Browser(people.client).client.get("/").status_code == 200


def test_a_booster_who_looks_for_work_sees_neither_price_nor_client(people: Cast) -> None:
    order = order_of(people.client)
    browser = Browser(people.other_booster)
    (listed,) = browser.get("/orders?board=available").json()["orders"]
    assert listed["order_id"] == order.pk
    assert (listed["actual_price"], listed["note"], listed["client_username"]) == (None, None, None)
    assert browser.get("/orders").json()["orders"] == []
    assert Browser(people.client).get("/orders?board=available").json()["orders"] == []
    claimed = browser.post(f"/orders/{order.pk}/claim")
    assert claimed.json()["order"]["status"] == "Continue"
    assert error_of(Browser(people.booster).post(f"/orders/{order.pk}/claim")) == (409, "order_taken")


def test_a_list_page_by_page(people: Cast) -> None:
    more = [order_of(people.client).pk for _ in range(4)]
    browser, found, below = Browser(people.client), [], ""
    while True:
        page = browser.get(f"/orders?limit=2{below}").json()
        found += [frame["order_id"] for frame in page["orders"]]
        if page["next"] is None:
            break
        below = f"&below={page['next']}"
    assert found == sorted([people.order.pk, *more], reverse=True)
    assert len(browser.get("/orders?status=Continue").json()["orders"]) == 1
    assert error_of(browser.get("/orders?status=Nowhere"))[1] == "bad_request"
    assert error_of(browser.get("/orders?limit=0"))[0] == 422


def test_an_order_from_the_quote_to_the_payout(people: Cast) -> None:
    client, booster, manager = Browser(people.client), Browser(people.booster), Browser(people.manager)
    quote = client.post(f"{GAME}/quote", PLACE).json()["actual_price"]
    made = client.post(f"{GAME}/orders", {**PLACE, "note": "Evenings."}, key="one")
    assert made.status_code == 201
    order = made.json()["order"]
    assert (order["actual_price"], order["note"], order["booster_price"]) == (quote, "Evenings.", None)
    again = client.post(f"{GAME}/orders", {**PLACE, "note": "Evenings."}, key="one")
    assert again.json()["order"]["order_id"] == order["order_id"], "sent again, placed once"
    assert error_of(client.post(f"{GAME}/orders", PLACE, key="one")) == (422, "key_reused")
    assert error_of(client.post(f"{GAME}/orders", PLACE)) == (422, "key_missing")

    path, number = f"/orders/{order['order_id']}", order["order_id"]
    assert manager.post(f"{path}/assign", {"booster": people.booster.pk}).json()["order"]["status"] == "Continue"
    assert client.post(f"{path}/pause").json()["order"]["status"] == "Paused"
    assert error_of(booster.post(f"{path}/finish")) == (409, "wrong_status")
    assert booster.post(f"{path}/resume").json()["order"]["status"] == "Continue"
    assert error_of(booster.post(f"{path}/finish")) == (409, "not_at_the_goal")
    goal = {"desired": {"rank": "Gold", "division": 3}}
    for _ in range(2):
        extended = client.post(f"{GAME}{path}/extend", goal, key="two")
        assert extended.json()["order"]["status"] == "Extend"
    assert Transaction.objects.filter(order=number, kind="payment").count() == 2
    reached = {"reached": {"rank": "Gold", "division": 3}}
    assert booster.post(f"{GAME}{path}/report", reached).json()["order"]["progress"] == 100
    assert booster.post(f"{path}/finish").json()["order"]["status"] == "Done"
    kinds = [row["kind"] for row in booster.get(f"{path}/transactions").json()]
    assert kinds == ["payout"], "not what the client paid"
    assert [row["kind"] for row in client.get(f"{path}/transactions").json()] == ["payment", "payment"]
    assert (
        booster.get("/wallet").json()["payouts"]
        == booster.get("/wallet/transactions").json()["transactions"][0]["amount"]
    )


def test_repricing_dropping_releasing_and_the_note(people: Cast) -> None:
    manager, client, booster = Browser(people.manager), Browser(people.client), Browser(people.booster)
    path = f"/orders/{people.order.pk}"
    assert client.post(f"{path}/write_note", {"note": "Mornings."}).json()["order"]["note"] == "Mornings."
    assert error_of(client.post(f"{path}/write_note", {"note": "x" * 1001})) == (422, "bad_text")
    prices = {"actual_price": "100.00", "booster_price": "60.00", "reason": "A discount."}
    assert error_of(client.post(f"{path}/reprice", prices, key="p")) == (403, "not_allowed")
    assert error_of(manager.post(f"{path}/reprice", {**prices, "actual_price": "NaN"}, key="p"))[0] == 422
    assert error_of(manager.post(f"{path}/reprice", {**prices, "actual_price": "-1"}, key="p")) == (422, "bad_amount")
    seen = {"seen_actual_price": "1.00", "seen_booster_price": "1.00"}
    assert error_of(manager.post(f"{path}/reprice", {**prices, **seen}, key="p")) == (409, "price_moved")
    half = {**prices, "seen_actual_price": "1.00"}
    assert error_of(manager.post(f"{path}/reprice", half, key="p")) == (422, "bad_amount")
    assert manager.post(f"{path}/reprice", prices, key="p").json()["order"]["actual_price"] == "100.00"
    assert error_of(booster.post(f"{path}/drop", {"reason": "x"})) == (403, "not_allowed")
    assert booster.post(f"{path}/release").json()["order"]["status"] == "New"
    assert error_of(manager.post(f"{path}/assign", {"booster": people.client.pk})) == (422, "wrong_role")
    assert error_of(manager.post(f"{path}/drop")) == (422, "bad_text")
    dropped = manager.post(f"{path}/drop", {"reason": "Asked for."}).json()
    assert (dropped["order"]["status"], dropped["verbs"]) == ("Dropped", [])


def test_what_a_body_gets_wrong_is_said_and_not_repeated(people: Cast) -> None:
    browser = Browser(people.client)
    bad = {**PLACE, "current": {"rank": "<script>", "division": 1}}
    assert error_of(browser.post(f"{GAME}/quote", bad)) == (422, "bad_position")
    answer = browser.post(f"{GAME}/quote", {"current": "<script>", "desired": {}})
    assert error_of(answer) == (422, "bad_request")
    assert "desired.rank" in answer.json()["detail"]
    assert "<script>" not in answer.content.decode()
    for body in ("{", "[" * 5000, b"\xff", '{"note": "\\ud800"}'):
        answer = browser.client.post(f"/api/orders/{people.order.pk}/write_note", body, content_type="application/json")
        assert error_of(answer)[0] in (400, 422)


def kinds_of(kind: type[OrderError]) -> list[type[OrderError]]:
    return [found for sub in kind.__subclasses__() for found in [sub, *kinds_of(sub)]]


@pytest.mark.parametrize("kind", kinds_of(OrderError), ids=lambda kind: kind.__name__)
def test_each_rule_is_in_the_reference(kind: type[OrderError], words: Callable[[], str]) -> None:
    from gameBoosterss.api import STATUSES, rule_of

    status = next(STATUSES[base] for base in kind.__mro__ if base in STATUSES)
    assert f"| `{rule_of(kind('x'))}` | {status} |" in words()


@pytest.fixture
def words() -> Callable[[], str]:
    from tests.test_docs import ROOT

    return (ROOT / "docs/reference/http.md").read_text


def test_the_exceptions_of_the_orders_are_what_is_meant() -> None:
    assert exceptions.OrderNotFound in kinds_of(OrderError)


def test_who_i_am(people: Cast) -> None:
    assert Browser(people.booster).get("/me").json() == {
        "id": people.booster.pk,
        "username": people.booster.username,
        "role": "booster",
    }


def test_a_dispute_is_shown_as_the_document_says(people: Cast) -> None:
    path = f"/orders/{people.order.pk}"
    assert Browser(people.client).post(f"{path}/dispute", {"reason": "It went down."}).status_code == 200
    seen = {name: Browser(getattr(people, name)).get(f"{path}/disputes") for name in ("client", "booster", "manager")}
    assert {name: [(row["reason"], row["held"]) for row in answer.json()] for name, answer in seen.items()} == {
        "client": [("It went down.", None)],
        "booster": [(None, "0.00")],
        "manager": [("It went down.", "0.00")],
    }
    document = Client().get("/api/openapi.json").json()["components"]["schemas"]["DisputeSight"]
    (row,) = seen["manager"].json()
    assert row.keys() == document["properties"].keys() == set(document["required"])
    assert (row["opened_by"], row["outcome"], row["resolved_at"]) == ("client", "", None)
