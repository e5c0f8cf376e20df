"""In and out, and the pages for when something is wrong."""

import pytest
from django.template.loader import render_to_string
from django.test import Client

pytestmark = pytest.mark.django_db


def test_the_log_in_leads_to_the_orders(people):
    response = Client().post("/accounts/login/", {"username": people.client.username, "password": "demo"})
    assert response["Location"] == "/"


def test_the_log_in_leads_to_where_one_wanted_to_go_on_this_site_only(people):
    fields = {"username": people.client.username, "password": "demo"}
    assert Client().post("/accounts/login/", fields | {"next": "/orders/1/"})["Location"] == "/orders/1/"
    assert Client().post("/accounts/login/", fields | {"next": "https://example.org/"})["Location"] == "/"


def test_a_wrong_password_says_so_and_not_which_half_was_wrong(people):
    pages = [
        Client().post("/accounts/login/", {"username": name, "password": "wrong"}).content.decode()
        for name in (people.client.username, "nobody")
    ]
    assert all("do not belong together" in page for page in pages)


@pytest.mark.parametrize("debug", [True, False])
def test_the_demo_accounts_are_shown_while_debug_is_on(settings, debug):
    settings.DEBUG = debug
    assert ("data-demo" in Client().get("/accounts/login/").content.decode()) is debug


def test_logging_out_ends_the_session(people, browser_of):
    browser = browser_of(people.client)
    assert browser.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert browser.get("/").status_code == 302


@pytest.mark.parametrize("name", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"])
def test_the_page_for_a_failure_needs_nothing_to_be_shown(name):
    assert "GameBoosterss" in render_to_string(name)


def test_an_unknown_address_is_a_friendly_404(client, settings):
    settings.DEBUG = False
    response = client.get("/no/such/page")
    assert response.status_code == 404
    assert "Nothing here for you" in response.content.decode()


def test_pages_have_no_inline_script_style_or_handler(people, browser_of):
    for who in ("client", "booster", "manager"):
        for path in ("/", f"/orders/{people.order.pk}/", "/orders/new/league-of-legends/"):
            page = browser_of(getattr(people, who)).get(path).content.decode()
            assert " style=" not in page
            assert " onclick=" not in page
            assert "<script>" not in page
            assert "<style" not in page
