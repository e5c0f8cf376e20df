"""A client orders and pays."""

import pytest

from games.league_of_legends.ladder import Position
from games.league_of_legends.selectors import division_of
from orders.models import BaseOrder
from wallet.models import Transaction

pytestmark = pytest.mark.django_db

NEW = "/orders/new/league-of-legends/"
JSON = {"Accept": "application/json"}
FIELDS = {"current": "Gold-2", "marks": "3", "desired": "Platinum-1", "duo": "on", "note": "After six."}


def test_with_one_game_there_is_nothing_to_choose(people, browser_of):
    assert browser_of(people.client).get("/orders/new/")["Location"] == NEW


def test_the_order_is_placed_paid_and_shown(people, browser_of):
    fields = FIELDS | {"idempotency_key": "first", "booster": people.other_booster.pk}
    response = browser_of(people.client).post(NEW, fields)
    order = BaseOrder.objects.order_by("-pk")[0]
    assert response["Location"] == f"/orders/{order.pk}/"
    assert (order.client, order.booster, order.status, order.duo) == (people.client, people.other_booster, "New", True)
    assert division_of(order).current == Position("Gold", 2, 3)
    assert Transaction.objects.get(order=order).amount == order.actual_price


def test_the_same_form_sent_twice_is_one_order_and_one_payment(people, browser_of):
    browser = browser_of(people.client)
    before = BaseOrder.objects.count()
    answers = [browser.post(NEW, FIELDS | {"idempotency_key": "double"}, headers=JSON).json() for _ in range(2)]
    assert answers[0]["location"] == answers[1]["location"]
    assert BaseOrder.objects.count() == before + 1
    assert Transaction.objects.filter(order_id=answers[0]["frame"]["order_id"]).count() == 1


def test_a_key_stands_for_one_order(people, browser_of):
    browser = browser_of(people.client)
    browser.post(NEW, FIELDS | {"idempotency_key": "same"})
    response = browser.post(NEW, FIELDS | {"idempotency_key": "same", "desired": "Diamond-1"}, headers=JSON)
    assert response.status_code == 409
    assert "Send a new key" in response.json()["error"]


def test_the_price_shown_is_the_price_paid(people, browser_of):
    browser = browser_of(people.client)
    before = BaseOrder.objects.count()
    quoted = browser.post(f"{NEW}quote/", FIELDS).json()
    assert BaseOrder.objects.count() == before
    made = browser.post(NEW, FIELDS | {"idempotency_key": "quoted"}, headers=JSON).json()
    assert made["frame"]["actual_price"] == quoted["price"]


def test_without_the_script_a_button_shows_the_price_and_orders_nothing(people, browser_of):
    before = BaseOrder.objects.count()
    browser = browser_of(people.client)
    page = browser.post(NEW, FIELDS | {"step": "quote"})
    assert BaseOrder.objects.count() == before
    assert browser.post(f"{NEW}quote/", FIELDS).json()["price"] in page.content.decode()
    assert "After six." in page.content.decode()


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"desired": "Iron-1"}, 409, "Choose a higher one"),
        ({"current": "Wood-1"}, 422, "There is no such rank"),
        ({"current": "", "desired": ""}, 422, "Choose a place"),
        ({"marks": "99"}, 422, "less than or equal to 5"),
        ({"booster": "999999"}, 409, "active booster"),
        ({"booster": "x"}, 422, "valid choice"),
        ({"booster": "9" * 5000}, 422, "valid choice"),
        ({"idempotency_key": ""}, 409, "idempotency key"),
        ({"idempotency_key": "x" * 65}, 409, "idempotency key"),
        ({"note": "x" * 1001}, 409, "1000 characters"),
    ],
)
def test_what_cannot_be_ordered_is_refused_with_words(people, browser_of, fields, status, words):
    before = BaseOrder.objects.count()
    sent = FIELDS | {"idempotency_key": "bad"} | fields
    response = browser_of(people.client).post(NEW, sent, headers=JSON)
    assert response.status_code == status
    assert words in " ".join([response.json()["error"], *response.json()["fields"].values()])
    assert browser_of(people.client).post(NEW, sent).status_code == status
    assert BaseOrder.objects.count() == before


@pytest.mark.parametrize("who", ["booster", "manager", "admin"])
def test_only_clients_order(people, browser_of, who):
    response = browser_of(getattr(people, who)).post(NEW, FIELDS | {"idempotency_key": "no"}, headers=JSON)
    assert response.status_code == 409
    assert "Orders are placed by clients" in response.json()["error"]


def test_a_game_that_is_not_installed_is_a_404(people, browser_of):
    assert browser_of(people.client).get("/orders/new/chess/").status_code == 404
