"""A refusal stands beside the form, says what to do, keeps what was typed, and changes nothing."""

import pytest

from orders.models import BaseOrder
from orders.services import order_claim
from tests.people import order_of

pytestmark = pytest.mark.django_db

JSON = {"Accept": "application/json"}


def state_of(order):
    return BaseOrder.objects.values().get(pk=order.pk)


@pytest.mark.parametrize(
    ("who", "verb", "fields", "status", "words"),
    [
        ("booster", "report", {"reached": "Iron-1", "marks": "0"}, 409, "Progress only goes up"),
        ("booster", "report", {"reached": "Master", "marks": "0"}, 409, "The goal is Diamond IV"),
        ("booster", "report", {"reached": "Wood-1", "marks": "0"}, 422, "There is no such rank"),
        ("booster", "report", {"reached": "Gold-٣", "marks": "0"}, 422, "four divisions"),
        ("booster", "report", {"reached": "Gold-9", "marks": "0"}, 422, "four divisions"),
        ("booster", "report", {"reached": "Gold-1", "marks": "6"}, 422, "less than or equal to 5"),
        ("booster", "report", {}, 422, "Choose a place"),
        ("booster", "finish", {}, 409, "is not at 100 %"),
        ("booster", "resume", {}, 409, "is Continue"),
        (
            "booster",
            "reprice",
            {"actual_price": "1", "booster_price": "1", "reason": "x", "idempotency_key": "k"},
            409,
            "repriced by a manager",
        ),
        ("client", "finish", {}, 409, "finished by its booster"),
        ("client", "report", {"reached": "Gold-3", "marks": "0"}, 409, "reported by the booster"),
        ("client", "drop", {"reason": ""}, 409, "while it is New"),
        ("client", "extend", {"goal": "Gold-1", "idempotency_key": "k"}, 409, "Choose a higher one"),
        ("client", "extend", {"goal": "Diamond-3"}, 409, "idempotency key"),
        ("client", "write_note", {"note": "x" * 1001}, 409, "1000 characters"),
        ("client", "write_note", {"note": "a\x00b"}, 422, "Null characters"),
        (
            "manager",
            "reprice",
            {"idempotency_key": "k", "actual_price": "1", "booster_price": "1", "reason": ""},
            409,
            "The reason is missing",
        ),
        ("manager", "reprice", {"actual_price": "NaN", "booster_price": "1", "reason": "x"}, 422, "Enter a number"),
        (
            "manager",
            "reprice",
            {"idempotency_key": "k", "actual_price": "-1", "booster_price": "1", "reason": "x"},
            409,
            "amount of money",
        ),
        ("manager", "reprice", {"actual_price": "1e9", "booster_price": "1", "reason": "x"}, 422, "digits"),
        ("manager", "reprice", {"actual_price": "1.001", "booster_price": "1", "reason": "x"}, 422, "decimal places"),
        ("manager", "drop", {"reason": " "}, 409, "The reason is missing"),
        ("manager", "assign", {"booster": "1"}, 422, "valid choice"),
    ],
)
def test_a_refusal_says_what_to_do_and_changes_nothing(people, browser_of, who, verb, fields, status, words):
    before = state_of(people.order)
    browser = browser_of(getattr(people, who))
    response = browser.post(f"/orders/{people.order.pk}/{verb}/", fields, headers=JSON)
    assert response.status_code == status, response.content
    answer = response.json()
    assert words in " ".join([answer["error"], *answer["fields"].values()])
    plain = browser.post(f"/orders/{people.order.pk}/{verb}/", fields)
    assert plain.status_code == status
    assert state_of(people.order) == before


def test_without_the_script_the_page_comes_back_with_what_was_typed(people, browser_of):
    fields = {"actual_price": "77.70", "booster_price": "55.50", "reason": "", "idempotency_key": "k"}
    page = browser_of(people.manager).post(f"/orders/{people.order.pk}/reprice/", fields).content.decode()
    assert 'value="77.70"' in page
    assert 'value="55.50"' in page
    assert "The reason is missing. Say why, in a few words." in page


def test_without_the_script_a_long_note_is_not_lost(people, browser_of):
    note = "long " * 300
    page = browser_of(people.client).post(f"/orders/{people.order.pk}/write_note/", {"note": note}).content.decode()
    assert note.strip() in page


def test_the_second_of_two_boosters_is_told_that_it_is_taken(people, browser_of):
    order = order_of(people.client)
    order_claim(order_id=order.pk, booster=people.booster)
    browser = browser_of(people.other_booster)
    answer = browser.post(f"/orders/{order.pk}/claim/", headers=JSON)
    assert answer.status_code == 409
    assert "is not available any more" in answer.json()["error"]
    page = browser.post(f"/orders/{order.pk}/claim/", follow=True)
    assert "is not available any more" in page.content.decode()


def test_a_claim_of_a_missing_order_looks_like_one_that_was_taken(people, browser_of):
    answer = browser_of(people.other_booster).post("/orders/999999/claim/", headers=JSON)
    assert answer.status_code == 409
    assert "is not available any more" in answer.json()["error"]
