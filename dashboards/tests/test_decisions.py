"""Who decides has seen what he decides about: with other prices, or another dispute, by now he looks again first."""

from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest

from orders.services import order_dispute, order_reprice, order_resolve

pytestmark = pytest.mark.django_db

JSON = {"Accept": "application/json"}


class Fields(HTMLParser):
    """The values of one form of a page, as a browser without script sends them."""

    def __init__(self, page: str, action: str) -> None:
        super().__init__()
        self._action, self._is_inside, self._select = action, False, ""
        self.values: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_inside = found.get("action") == self._action
        elif self._is_inside and tag == "input" and "name" in found:
            self.values[found["name"]] = found.get("value", "")
        elif self._is_inside and tag == "select":
            self._select = found["name"]
            self.values.setdefault(self._select, "")
        elif self._is_inside and tag == "option" and "selected" in found:
            self.values[self._select] = found["value"]

    def handle_endtag(self, tag: str) -> None:
        self._is_inside = self._is_inside and tag != "form"


class Desk:
    """A manager at an order's page, in a browser without script."""

    def __init__(self, browser: Any, order: Any) -> None:
        self.browser, self.order = browser, order
        self.page = browser.get(f"/orders/{order.pk}/").content.decode()

    def form(self, verb: str) -> dict[str, str]:
        return Fields(self.page, f"/orders/{self.order.pk}/{verb}/").values

    def press(self, verb: str, **typed: str) -> int:
        """Send the form as it stands, with what is typed; the answer is the page that he has then."""
        answer = self.browser.post(f"/orders/{self.order.pk}/{verb}/", self.form(verb) | typed)
        self.page = answer.content.decode()
        self.order.refresh_from_db()
        return int(answer.status_code)


@pytest.fixture
def desk(people, browser_of):
    return Desk(browser_of(people.manager), people.order)


def prices_move(people, price, payout):
    prices: Any = {"actual_price": Decimal(price), "booster_price": Decimal(payout)}
    key = f"meanwhile {price} {payout}"
    order_reprice(order_id=people.order.pk, **prices, reason="More.", by=people.admin, idempotency_key=key)


def test_prices_that_have_moved_are_shown_beside_what_was_typed_and_one_more_click_decides(people, desk):
    typed = {"actual_price": "160.00", "booster_price": "110.00", "reason": "Harder than it looked."}
    prices_move(people, 150, 105)
    assert desk.press("reprice", **typed) == 409
    assert people.order.actual_price == 150
    assert "is at 150.00 and 105.00 by now. Look at both, then decide again." in desk.page
    assert "It is 150.00 now." in desk.page
    assert "It is 105.00 now." in desk.page
    assert typed.items() <= desk.form("reprice").items()
    assert desk.press("reprice") == 302
    assert (people.order.actual_price, people.order.booster_price) == (160, 110)
    assert people.order.decisions.first().reason == "Harder than it looked."


def test_prices_that_move_once_more_are_refused_once_more(people, desk):
    typed = {"actual_price": "160.00", "booster_price": "110.00", "reason": "Harder."}
    prices_move(people, 150, 105)
    assert desk.press("reprice", **typed) == 409
    prices_move(people, 155, 108)
    assert desk.press("reprice") == 409
    assert "It is 155.00 now." in desk.page
    assert people.order.actual_price == 155
    assert desk.press("reprice") == 302
    assert people.order.actual_price == 160


def test_another_refusal_does_not_pass_for_having_seen_the_new_prices(people, desk):
    prices_move(people, 150, 105)
    assert desk.press("reprice", actual_price="NaN", booster_price="110.00", reason="Harder.") == 422
    assert desk.press("reprice", actual_price="160.00") == 409
    assert people.order.actual_price == 150
    assert "It is 150.00 now." in desk.page


def test_another_dispute_is_shown_and_one_more_click_decides_it(people, desk):
    order_dispute(order_id=people.order.pk, by=people.client, reason="It went down.")
    desk = Desk(desk.browser, people.order)
    order_resolve(order_id=people.order.pk, outcome="paid", reason="Fine.", by=people.admin)
    order_dispute(order_id=people.order.pk, by=people.client, reason="He cheats.")
    assert desk.press("resolve", outcome="paid", reason="All is well.") == 409
    assert people.order.disputed
    assert "has another dispute by now. Read it first." in desk.page
    assert "He cheats." in desk.page
    assert desk.press("resolve") == 302
    assert not people.order.disputed


def test_a_dispute_that_somebody_has_resolved_leaves_nothing_to_press(people, desk):
    order_dispute(order_id=people.order.pk, by=people.client, reason="It went down.")
    desk = Desk(desk.browser, people.order)
    order_resolve(order_id=people.order.pk, outcome="paid", reason="Fine.", by=people.admin)
    assert desk.press("resolve", outcome="paid", reason="Fine.") == 409
    assert "somebody was quicker" in desk.page
    assert desk.form("resolve") == {}


def test_with_the_script_the_refusal_says_what_the_form_decides_about_from_here_on(people, desk):
    sent = desk.form("reprice") | {"reason": "Harder."}
    path = f"/orders/{people.order.pk}/reprice/"
    prices_move(people, 150, 105)
    assert desk.browser.post(path, sent, headers=JSON).status_code == 409
    answer = desk.browser.post(path, sent, headers=JSON)
    assert answer.status_code == 409, "sent as it was it is refused each time"
    assert answer.json()["now"] == {"seen_actual_price": "150.00", "seen_booster_price": "105.00"}
    assert desk.browser.post(path, sent | answer.json()["now"], headers=JSON).status_code == 200
    people.order.refresh_from_db()
    assert people.order.actual_price == Decimal(sent["actual_price"])
