"""The lists: whose orders, which filters, and how little an unchanged list costs."""

import json
import re
from html import unescape

import pytest
from django.utils.html import escape

from dashboards.selectors import ROWS, status_counts
from orders.feeds import OrderFeed
from orders.selectors import orders_all
from orders.services import order_pause
from realtime.boards import Listing, filters_of
from realtime.lookout import listed as listed_on_board
from tests.people import order_of

pytestmark = pytest.mark.django_db


def listed(page, shelf):
    """Return the orders in the list ``shelf`` of a page."""
    body = re.search(rf'<tbody data-list="{shelf}">(.*?)</tbody>', page.content.decode(), re.DOTALL)
    return [int(key) for key in re.findall(r'data-order="(\d+)"', body[1])] if body else None


def boards_of(page):
    """Return what the script of a page follows: the list, its topic and its filter."""
    tags = re.findall(r'data-shelf="(\w+)" data-topic="([\w:]+)" data-filter="([^"]*)"', page.content.decode())
    return [(shelf, topic, json.loads(unescape(text))) for shelf, topic, text in tags]


def test_a_client_has_his_own(people, browser_of):
    other = order_of(people.other_client)
    assert listed(browser_of(people.client).get("/"), "mine") == [people.order.pk]
    assert listed(browser_of(people.other_client).get("/"), "mine") == [other.pk]


def test_a_booster_has_his_own_and_those_to_claim(people, browser_of):
    waiting = order_of(people.other_client)
    chosen = order_of(people.other_client, booster=people.other_booster)
    page = browser_of(people.booster).get("/")
    assert listed(page, "mine") == [people.order.pk]
    assert listed(page, "available") == [waiting.pk]
    assert f'action="/orders/{waiting.pk}/claim/"' in page.content.decode()
    other = browser_of(people.other_booster).get("/")
    assert listed(other, "mine") == [chosen.pk]
    assert f'action="/orders/{chosen.pk}/claim/"' in other.content.decode()


@pytest.mark.parametrize("who", ["manager", "admin"])
def test_staff_has_all(people, browser_of, who):
    other = order_of(people.other_client)
    assert listed(browser_of(getattr(people, who)).get("/"), "all") == [other.pk, people.order.pk]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=New", ["new"]),
        ("status=Continue", ["played"]),
        ("status=open", ["new", "played"]),
        ("status=Done", []),
        ("game=league-of-legends", ["new", "played"]),
        ("booster={booster}", ["played"]),
        ("booster={booster}&status=New", []),
        ("status=nonsense", ["new", "played"]),
        ("booster=nobody&game=%01", ["new", "played"]),
        ("all-page=99", ["new", "played"]),
        ("all-page=-1", ["new", "played"]),
        ("all-page=%D9%A3x", ["new", "played"]),
    ],
)
def test_a_manager_filters(people, browser_of, query, expected):
    keys = {"new": order_of(people.other_client).pk, "played": people.order.pk}
    page = browser_of(people.manager).get("/?" + query.format(booster=people.booster.username))
    assert listed(page, "all") == [keys[name] for name in expected]


def test_a_long_list_has_pages(people, browser_of):
    keys = [order_of(people.client).pk for _ in range(ROWS)]
    browser = browser_of(people.client)
    assert listed(browser.get("/"), "mine") == keys[::-1]
    assert listed(browser.get("/?mine-page=2"), "mine") == [people.order.pk]


def test_the_queries_of_a_list_do_not_grow_with_it(people, browser_of, django_assert_max_num_queries):
    browser = browser_of(people.manager)
    for _ in range(12):
        order_of(people.client)
    browser.get("/")
    with django_assert_max_num_queries(14):
        browser.get("/")


def test_an_unchanged_list_is_a_304_until_something_moves(people, browser_of):
    browser = browser_of(people.client)
    first = browser.get("/orders/rows/")
    again = browser.get("/orders/rows/", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    order_pause(order_id=people.order.pk, by=people.booster)
    later = browser.get("/orders/rows/", headers={"If-None-Match": first["ETag"]})
    assert later.status_code == 200
    assert "Paused" in later.content.decode()


def test_a_page_is_drawn_with_the_tag_of_its_rows(people, browser_of):
    browser = browser_of(people.manager)
    page, rows = browser.get("/?status=open"), browser.get("/orders/rows/?status=open")
    assert f'data-etag="{escape(rows["ETag"])}"' in page.content.decode()


@pytest.mark.parametrize("query", ["", "status=open", "status=New", "game=league-of-legends", "booster={booster}"])
@pytest.mark.parametrize("who", ["client", "booster", "manager"])
def test_a_list_and_the_board_that_it_follows_have_the_same_orders(people, browser_of, who, query):
    order_of(people.other_client)
    user = getattr(people, who)
    page = browser_of(user).get("/?" + query.format(booster=people.booster.username))
    for shelf, topic, asked in boards_of(page):
        name = topic.removeprefix("orders:")
        conditions = OrderFeed.boards[name].conditions(role=user.role, viewer_id=user.pk)
        assert conditions is not None, f"{who} has no board {name}"
        keys, total = listed_on_board(Listing("order", conditions, filters_of(OrderFeed, asked)), 60)
        assert keys == listed(page, shelf)
        assert total == len(keys)


def test_the_same_list_of_somebody_else_has_another_tag(people, browser_of):
    tags = {browser_of(user).get("/orders/rows/")["ETag"] for user in (people.manager, people.admin)}
    assert len(tags) == 2


def test_the_database_counts_the_statuses(people, django_assert_num_queries):
    order_of(people.client)
    with django_assert_num_queries(1) as queries:
        counts = status_counts(orders_all())
    assert "GROUP BY" in queries[0]["sql"]
    assert {name: number for name, number in counts.items() if number} == {"open": 2, "New": 1, "Continue": 1}
