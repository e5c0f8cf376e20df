"""Strangers first: who sees a page, and what everybody else gets."""

import re

import pytest
from django.test import Client

from accounts.models import User
from orders.models import BaseOrder
from orders.services import order_release

pytestmark = pytest.mark.django_db

ODD = ("-1", "1e3", "0", "00", "٣", str(2**63), "9" * 400, "1.0", " 1", "x", "1%00", "🙂", "null")


def without_token(response):
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())


@pytest.mark.parametrize(
    "path", ["/", "/orders/{}/", "/orders/{}/parts/", "/orders/rows/", "/orders/new/", "/orders/-1/"]
)
def test_an_anonymous_visitor_is_sent_to_the_log_in(people, path):
    address = path.format(people.order.pk)
    response = Client().get(address)
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=")


def test_an_anonymous_post_changes_nothing(people):
    response = Client().post(f"/orders/{people.order.pk}/pause/")
    assert response.status_code == 302
    people.order.refresh_from_db()
    assert people.order.status == "Continue"


def test_the_script_of_a_logged_out_visitor_is_told_so(people):
    response = Client().post(f"/orders/{people.order.pk}/pause/", headers={"Accept": "application/json"})
    assert response.status_code == 401
    assert "Log in again" in response.json()["error"]


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("page", ["", "parts/", "pause/"])
def test_a_foreign_order_is_the_same_404_as_a_missing_one(people, browser_of, settings, debug, page):
    settings.DEBUG = debug
    missing = BaseOrder.objects.order_by("-pk")[0].pk + 1
    for stranger in (people.other_client, people.other_booster):
        browser = browser_of(stranger)
        method = browser.post if page == "pause/" else browser.get
        foreign, nothing = (method(f"/orders/{key}/{page}") for key in (people.order.pk, missing))
        assert (foreign.status_code, nothing.status_code) == (404, 404)
        same = without_token(nothing).replace(f"order {missing} ", f"order {people.order.pk} ")
        assert without_token(foreign) == same
        assert people.order.title not in same


@pytest.mark.parametrize("key", ODD)
@pytest.mark.parametrize("page", ["", "parts/", "pause/"])
def test_what_is_no_key_is_a_missing_order(people, browser_of, key, page):
    response = browser_of(people.manager).get(f"/orders/{key}/{page}", follow=True)
    assert response.status_code == 404
    assert b"Nothing here for you" in response.content


def test_a_verb_that_does_not_exist_is_a_404(people, browser_of):
    response = browser_of(people.client).post(f"/orders/{people.order.pk}/explode/")
    assert response.status_code == 404


@pytest.mark.parametrize("who", ["client", "booster", "manager", "admin"])
def test_those_it_concerns_see_the_order(people, browser_of, who):
    response = browser_of(getattr(people, who)).get(f"/orders/{people.order.pk}/")
    assert response.status_code == 200
    assert people.order.title in response.content.decode()


def test_a_booster_who_looks_for_orders_sees_an_available_one(people, browser_of):
    order_release(order_id=people.order.pk, by=people.manager)
    response = browser_of(people.other_booster).get(f"/orders/{people.order.pk}/")
    assert response.status_code == 200
    assert b"Claim this order" in response.content


def test_a_disabled_account_sees_nothing(people, browser_of):
    browser = browser_of(people.client)
    User.objects.filter(pk=people.client.pk).update(is_active=False)
    assert browser.get(f"/orders/{people.order.pk}/").status_code == 302


def test_only_the_admin_is_led_to_the_admin_site(people, browser_of):
    pages = {
        who: browser_of(getattr(people, who)).get("/").content for who in ("client", "booster", "manager", "admin")
    }
    assert [who for who, page in pages.items() if b'href="/admin/"' in page] == ["admin"]


@pytest.mark.parametrize("path", ["/", "/orders/{}/", "/orders/{}/history/", "/orders/rows/", "/accounts/login/"])
def test_pages_are_kept_by_no_cache_and_no_browser(people, browser_of, path):
    response = browser_of(people.client).get(path.format(people.order.pk))
    assert response["Cache-Control"] == "private, no-store"
