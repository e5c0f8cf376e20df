"""What is not for a viewer is nowhere in the bytes he gets."""

from typing import Any

import pytest

from dashboards.tests.conftest import PAYOUT, PRICE
from orders.services import order_finish, order_pause, order_release, order_reprice

pytestmark = pytest.mark.django_db

PAGES = ("/", "/orders/rows/", "/orders/{}/", "/orders/{}/parts/")


def bytes_of(browser, people):
    return b"".join(browser.get(page.format(people.order.pk)).content for page in PAGES).decode()


def test_a_client_never_gets_the_boosters_price(people, browser_of):
    seen = bytes_of(browser_of(people.client), people)
    assert str(PRICE) in seen
    assert str(PAYOUT) not in seen
    assert "Not for your role" in seen


def test_a_booster_never_gets_the_clients_price(people, browser_of):
    seen = bytes_of(browser_of(people.booster), people)
    assert str(PAYOUT) in seen
    assert str(PRICE) not in seen


def test_a_client_never_gets_the_payout_that_was_paid(people, browser_of):
    order_finish(order_id=people.order.pk, by=people.manager)
    assert str(PAYOUT) in bytes_of(browser_of(people.booster), people)
    assert str(PAYOUT) not in bytes_of(browser_of(people.client), people)


def test_a_booster_who_looks_for_orders_gets_neither_the_price_nor_the_client_nor_the_note(people, browser_of):
    order_release(order_id=people.order.pk, by=people.manager)
    prices: Any = {"actual_price": PRICE, "booster_price": PAYOUT}
    order_reprice(order_id=people.order.pk, **prices, reason="Again.", by=people.manager, idempotency_key="round again")
    seen = bytes_of(browser_of(people.other_booster), people)
    assert str(PAYOUT) in seen
    assert str(PRICE) not in seen
    assert people.order.note not in seen
    assert f">{people.client.username}<" not in seen


@pytest.mark.parametrize("who", ["manager", "admin"])
def test_staff_gets_both_prices(people, browser_of, who):
    seen = bytes_of(browser_of(getattr(people, who)), people)
    assert str(PRICE) in seen
    assert str(PAYOUT) in seen


def test_only_staff_reads_why_staff_decided(people, browser_of):
    reads = [
        who
        for who in ("client", "booster", "manager", "admin")
        if "A round price." in bytes_of(browser_of(getattr(people, who)), people)
    ]
    assert reads == ["manager", "admin"]


def test_what_an_action_answers_is_masked_too(people, browser_of):
    order_pause(order_id=people.order.pk, by=people.booster)
    answer = browser_of(people.client).post(
        f"/orders/{people.order.pk}/resume/", headers={"Accept": "application/json"}
    )
    assert str(PAYOUT) not in answer.content.decode()
    assert answer.json()["frame"]["booster_price"] is None
    assert "booster_price" in answer.json()["frame"]["masked"]


def test_what_people_write_is_text_and_no_markup(people, browser_of):
    words = "</script><img src=x onerror=alert(1)>"
    browser = browser_of(people.client)
    browser.post(f"/orders/{people.order.pk}/write_note/", {"note": words})
    assert "<img" not in bytes_of(browser, people)
    assert "<img" not in bytes_of(browser_of(people.manager), people)
