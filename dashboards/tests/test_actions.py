"""Each button, through the form that a browser sends: with the script, and without it."""

from decimal import Decimal

import pytest

from dashboards.actions import ACTIONS
from games.league_of_legends.ladder import Position
from games.league_of_legends.selectors import division_of
from orders.services import (
    order_dispute,
    order_pause,
    order_release,
    order_report_progress,
)
from orders.transitions import TRANSITIONS
from tests.people import order_of
from wallet.selectors import order_books

pytestmark = pytest.mark.django_db

JSON = {"Accept": "application/json"}


def act(browser, order, verb, **fields):
    response = browser.post(f"/orders/{order.pk}/{verb}/", fields, headers=JSON)
    order.refresh_from_db()
    return response


def at_the_goal(people):
    goal = division_of(people.order).desired
    order_report_progress(order_id=people.order.pk, reached=goal, by=people.booster)


def test_without_the_script_an_action_leads_back_to_the_order(people, browser_of):
    response = browser_of(people.booster).post(f"/orders/{people.order.pk}/pause/")
    assert (response.status_code, response["Location"]) == (302, f"/orders/{people.order.pk}/")


def test_with_the_script_an_action_answers_with_the_new_state(people, browser_of):
    response = act(browser_of(people.booster), people.order, "pause")
    assert response.status_code == 200
    assert response.json()["frame"]["status"] == "Paused"
    assert response.json()["location"] == f"/orders/{people.order.pk}/"


def test_an_address_of_an_action_that_is_opened_leads_to_the_order(people, browser_of):
    response = browser_of(people.booster).get(f"/orders/{people.order.pk}/pause/")
    assert response["Location"] == f"/orders/{people.order.pk}/"


def test_a_booster_claims(people, browser_of):
    order = order_of(people.client)
    act(browser_of(people.other_booster), order, "claim")
    assert (order.status, order.booster) == ("Continue", people.other_booster)


def test_a_booster_reports_progress(people, browser_of):
    response = act(browser_of(people.booster), people.order, "report", reached="Gold-3", marks="2")
    assert division_of(people.order).reached == Position("Gold", 3, 2)
    assert response.json()["frame"]["reached_division"] == 3


def test_a_booster_who_chooses_the_goal_need_not_set_the_marks_back(people, browser_of):
    goal = division_of(people.order).desired
    act(browser_of(people.booster), people.order, "report", reached=f"{goal.rank}-{goal.division}", marks="3")
    assert division_of(people.order).reached == goal


def test_a_booster_pauses_and_resumes(people, browser_of):
    act(browser_of(people.booster), people.order, "pause")
    assert people.order.status == "Paused"
    act(browser_of(people.booster), people.order, "resume")
    assert people.order.status == "Continue"


def test_a_booster_finishes_at_the_goal(people, browser_of):
    at_the_goal(people)
    act(browser_of(people.booster), people.order, "finish")
    assert people.order.status == "Done"


def test_a_booster_releases_and_sees_it_as_one_to_claim(people, browser_of):
    response = act(browser_of(people.booster), people.order, "release")
    assert (people.order.status, people.order.booster) == ("New", None)
    assert "client_username" in response.json()["frame"]["masked"]


def test_a_release_sent_again_is_answered_when_the_order_is_anothers_by_now(people, browser_of):
    browser = browser_of(people.booster)
    assert act(browser, people.order, "release", idempotency_key="one").status_code == 200
    act(browser_of(people.other_booster), people.order, "claim")
    answer = act(browser, people.order, "release", idempotency_key="one")
    assert (answer.status_code, answer.json()) == (200, {"frame": None, "location": "/"})
    assert browser.post(f"/orders/{people.order.pk}/release/", {"idempotency_key": "one"})["Location"] == "/"
    for again in ({"idempotency_key": "two"}, {}):
        assert act(browser, people.order, "release", **again).status_code == 404
    assert people.order.booster == people.other_booster


def test_a_client_writes_the_note(people, browser_of):
    act(browser_of(people.client), people.order, "write_note", note="Mornings, please.")
    assert people.order.note == "Mornings, please."


def test_a_client_extends_once_however_often_it_is_sent(people, browser_of):
    before = people.order.actual_price
    fields = {"goal": "Diamond-2", "idempotency_key": "one-more"}
    for _ in range(2):
        response = act(browser_of(people.client), people.order, "extend", **fields)
        assert response.status_code == 200
    assert people.order.status == "Extend"
    assert people.order.actual_price == before + Decimal("45.00")
    assert order_books(people.order).payments - order_books(people.order).refunds == people.order.actual_price


def test_a_client_drops_while_new(people, browser_of):
    order = order_of(people.client)
    act(browser_of(people.client), order, "drop", reason="")
    assert order.status == "Dropped"
    assert order_books(order).held == 0


def test_a_manager_assigns(people, browser_of):
    order = order_of(people.client)
    act(browser_of(people.manager), order, "assign", booster=people.other_booster.pk)
    assert (order.status, order.booster) == ("Continue", people.other_booster)


def test_a_manager_reprices_with_a_reason(people, browser_of):
    act(
        browser_of(people.manager), people.order, "reprice",
        actual_price="200.00", booster_price="140.00", reason="It is harder than it looked.", idempotency_key="one",
    )  # fmt: skip
    assert (people.order.actual_price, people.order.booster_price) == (Decimal("200.00"), Decimal("140.00"))


def test_a_manager_reprices_once_however_often_it_is_sent(people, browser_of):
    fields = {"actual_price": "200.00", "booster_price": "140.00", "reason": "Harder.", "idempotency_key": "one-more"}
    before = people.order.decisions.count()
    for _ in range(2):
        assert act(browser_of(people.manager), people.order, "reprice", **fields).status_code == 200
    assert people.order.decisions.count() == before + 1


def test_a_manager_drops_with_a_reason(people, browser_of):
    act(browser_of(people.manager), people.order, "drop", reason="The client sold the account.")
    assert people.order.status == "Dropped"


@pytest.mark.parametrize("verb", ["pause", "release", "finish"])
def test_a_manager_pauses_releases_and_finishes(people, browser_of, verb):
    response = act(browser_of(people.manager), people.order, verb)
    assert response.status_code == 200
    assert people.order.status == {"pause": "Paused", "release": "New", "finish": "Done"}[verb]


def test_a_manager_resumes(people, browser_of):
    order_pause(order_id=people.order.pk, by=people.client)
    act(browser_of(people.manager), people.order, "resume")
    assert people.order.status == "Continue"


@pytest.mark.parametrize(
    ("who", "status", "expected"),
    [
        ("client", "Continue", {"pause", "write_note", "extend", "dispute"}),
        ("booster", "Continue", {"report", "pause", "release"}),
        ("booster", "at the goal", {"pause", "finish"}),
        ("manager", "at the goal", {"pause", "finish", "extend", "reprice", "drop", "dispute"}),
        ("manager", "Continue", {"pause", "finish", "extend", "reprice", "release", "drop", "dispute"}),
        ("client", "disputed", {"pause", "write_note", "extend"}),
        ("booster", "disputed", {"report", "pause", "release"}),
        ("manager", "disputed", {"pause", "finish", "extend", "reprice", "release", "drop", "resolve"}),
        ("client", "New", {"write_note", "drop"}),
        ("manager", "New", {"assign", "reprice", "drop"}),
        ("other_booster", "New", {"claim"}),
    ],
)
def test_a_page_has_the_buttons_of_its_viewer_and_no_others(people, browser_of, who, status, expected):
    if status == "New":
        order_release(order_id=people.order.pk, by=people.manager)
    if status == "at the goal":
        at_the_goal(people)
    if status == "disputed":
        order_dispute(order_id=people.order.pk, by=people.client, reason="It went down.")
    page = browser_of(getattr(people, who)).get(f"/orders/{people.order.pk}/").content.decode()
    shown = {verb for verb in TRANSITIONS if f'action="/orders/{people.order.pk}/{verb}/"' in page}
    assert shown == expected


def test_every_verb_of_the_transition_table_has_a_button():
    assert set(ACTIONS) == set(TRANSITIONS)


def test_each_form_has_a_new_key(people, browser_of):
    browser = browser_of(people.client)
    keys = [browser.get(f"/orders/{people.order.pk}/").context["offers"] for _ in range(2)]
    found = {
        form["idempotency_key"].value()
        for offers in keys
        for offer in offers
        for form in offer.forms
        if "idempotency_key" in form.fields
    }
    assert len(found) == 2
