"""Account data on the pages and over HTTP: who is shown it, that it is asked for by a post, and where it is not."""

import json

import pytest
from django.test import Client

from orders.services import order_finish, order_release
from vault.models import GameAccount, Reading
from vault.services import locked_say
from vault.tests.cast import LOGIN, PASSWORD, REMARKS

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}
FIELDS = {"login": LOGIN, "password": PASSWORD, "remarks": REMARKS}
SHOWN = [LOGIN, "w0rd!", REMARKS]


def page(order, path=""):
    return f"/orders/{order.pk}/account/{path}"


def api(order, path=""):
    return f"/api/orders/{order.pk}/account{path}"


def has_it(answer):
    return [words for words in SHOWN if words in answer.content.decode()]


@pytest.fixture
def given(people, browser_of):
    answer = browser_of(people.client).post(page(people.order), FIELDS, headers=JSON)
    assert (answer.status_code, answer.json()["frame"]["order_id"]) == (200, people.order.pk)
    return people


@pytest.mark.parametrize("path", [page, api], ids=["page", "api"])
def test_a_stranger_gets_what_he_gets_of_a_missing_order(given, browser_of, path):
    missing = type(given.order)(pk=given.order.pk + 1000)
    for stranger in (given.other_client, given.other_booster):
        browser = browser_of(stranger)
        for end in ("show/", "erase/", "") if path is page else ("/read", "/erase", ""):
            answers = [
                browser.post(path(order, end), json.dumps(FIELDS), content_type="application/json", headers=JSON)
                if path is api
                else browser.post(path(order, end), FIELDS, headers=JSON)
                for order in (given.order, missing)
            ]
            assert [answer.status_code for answer in answers] == [404, 404]
            foreign, nothing = (answer.content.decode() for answer in answers)
            assert foreign.replace(str(given.order.pk), "N") == nothing.replace(str(missing.pk), "N")
    assert not Reading.objects.exists()


@pytest.mark.parametrize("who", ["manager", "admin"])
def test_staff_gets_it_nowhere(given, browser_of, who):
    browser = browser_of(getattr(given, who))
    assert browser.post(page(given.order, "show/"), headers=JSON).status_code == 409
    for answer in (
        browser.post(page(given.order, "show/")),
        browser.get(f"/orders/{given.order.pk}/"),
        browser.post(api(given.order, "/read")),
        browser.get(api(given.order)),
    ):
        assert has_it(answer) == []
        assert b"account-show" not in answer.content or b"hidden" in answer.content
    assert browser.post(api(given.order, "/read")).status_code == 403
    assert browser.get(api(given.order)).status_code == 403
    assert not Reading.objects.exists()


def test_the_booster_asks_by_a_post_and_the_client_sees_that_he_did(given, browser_of):
    booster, client = browser_of(given.booster), browser_of(given.client)
    path = f"/orders/{given.order.pk}/"
    assert has_it(booster.get(path)) == []
    assert has_it(booster.get(page(given.order, "show/"), follow=True)) == [], "a link shows nothing"
    assert not Reading.objects.exists()
    answer = booster.post(page(given.order, "show/"), headers=JSON)
    assert answer.json() == {"account": FIELDS}
    assert "no-store" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]
    seen = client.get(path).content.decode()
    assert f"<span>{given.booster.username}</span>" in seen
    assert has_it(client.get(path)) == []
    (row,) = Reading.objects.all()
    assert (row.reader, row.address) == (given.booster, "127.0.0.1")


def test_without_the_script_the_page_comes_back_with_it_and_is_not_kept(given, browser_of):
    answer = browser_of(given.booster).post(page(given.order, "show/"))
    assert answer.status_code == 200
    assert has_it(answer) == SHOWN
    assert "no-store" in answer["Cache-Control"]


def test_a_reading_keeps_the_whole_address(given, browser_of):
    booster = browser_of(given.booster)
    for path in (page(given.order, "show/"), api(given.order, "/read")):
        booster.post(path, REMOTE_ADDR="2001:db8:1:2:3:4:5:6")
    assert set(Reading.objects.values_list("address", flat=True)) == {"2001:db8:1:2:3:4:5:6"}


def test_over_http_it_is_the_same(given, browser_of):
    booster, client = browser_of(given.booster), browser_of(given.client)
    assert booster.get(api(given.order)).json() == {
        "given": True,
        "changed_at": booster.get(api(given.order)).json()["changed_at"],
        "may_read": True,
        "readings": [],
    }
    answer = booster.post(api(given.order, "/read"))
    assert answer.json() == FIELDS
    assert "no-store" in answer["Cache-Control"]
    state = client.get(api(given.order)).json()
    assert [reading["username"] for reading in state["readings"]] == [given.booster.username]
    assert "address" not in json.dumps(state)
    changed = client.post(api(given.order), {"login": "x", "password": "y"}, content_type="application/json")
    assert (changed.status_code, changed.json()["given"]) == (200, True)
    assert booster.post(api(given.order, "/read")).json() == {"login": "x", "password": "y", "remarks": ""}
    assert client.post(api(given.order, "/erase")).json()["given"] is False
    answer = booster.post(api(given.order, "/read"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "account_missing")


@pytest.mark.parametrize("path", [page, api], ids=["page", "api"])
def test_a_post_without_the_csrf_token_shows_nothing(given, path):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(given.booster)
    answer = browser.post(path(given.order, "show/" if path is page else "/read"))
    assert answer.status_code == 403
    assert not Reading.objects.exists()


def test_nobody_who_is_not_logged_in_is_shown_it(given):
    assert Client().post(page(given.order, "show/")).status_code == 302
    assert Client().post(page(given.order, "show/"), headers=JSON).status_code == 401
    assert Client().post(api(given.order, "/read")).status_code == 401


def test_after_the_order_the_booster_is_refused_with_the_rule(given, browser_of):
    order_finish(order_id=given.order.pk, by=given.manager)
    booster = browser_of(given.booster)
    answer = booster.post(page(given.order, "show/"), headers=JSON)
    assert answer.status_code == 409
    assert "while it is Continue, Paused or Extend" in answer.json()["error"]
    assert "account/show/" not in booster.get(f"/orders/{given.order.pk}/").content.decode()
    assert booster.post(api(given.order, "/read")).json()["error"]["code"] == "wrong_status"


def test_a_booster_who_gave_up_sees_neither_the_data_nor_the_card(given, browser_of):
    order_release(order_id=given.order.pk, by=given.booster)
    seen = browser_of(given.booster).get(f"/orders/{given.order.pk}/").content.decode()
    assert "Your client" not in seen
    assert "account/show/" not in seen


@pytest.mark.parametrize("headers", [JSON, {}], ids=["script", "plain"])
def test_what_cannot_be_kept_is_said_and_the_password_is_not_written_into_the_page(people, browser_of, headers):
    browser = browser_of(people.client)
    for fields in ({"login": "carla7", "password": ""}, {"login": "", "remarks": "carla7 in EUW"}):
        assert "carla7" not in browser.post(page(people.order), fields, headers=headers).content.decode()
    fields = {"login": "", "password": "hunter2", "remarks": "x" * 501}
    answer = browser.post(page(people.order), fields, headers=headers)
    assert answer.status_code == 422
    assert "hunter2" not in answer.content.decode()
    assert "required" in answer.content.decode()
    bad = browser.post(api(people.order), {"login": "\x00", "password": "hunter2"}, content_type="application/json")
    assert (bad.status_code, bad.json()["error"]["code"]) == (422, "bad_account")
    wrong = browser.post(api(people.order), {"login": 5, "password": ["hunter2"]}, content_type="application/json")
    assert wrong.status_code == 422
    assert "hunter2" not in wrong.content.decode()
    assert not GameAccount.objects.exists()


def test_a_lost_key_is_a_clear_answer_and_the_log_names_it_once(given, browser_of, settings, caplog):
    locked_say.cache_clear()
    settings.ACCOUNT_KEYS = {"other": "A" * 43 + "="}
    booster = browser_of(given.booster)
    answer = booster.post(api(given.order, "/read"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "account_locked")
    assert "cannot be opened just now. Ask the staff." in answer.json()["detail"]
    answer = booster.post(page(given.order, "show/"), headers=JSON)
    assert answer.status_code == 503
    assert "cannot be opened just now. Ask the staff." in answer.json()["error"]
    assert booster.post(page(given.order, "show/")).status_code == 503
    assert not Reading.objects.exists()
    (record,) = [record for record in caplog.records if record.name == "vault.services"]
    assert (record.levelname, "which is not here" in record.getMessage()) == ("ERROR", True)


def test_when_something_breaks_neither_page_nor_log_has_it(given, browser_of, settings, monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("the database went away")

    monkeypatch.setattr("vault.services.Reading.objects.create", broken)
    for debug in (True, False):
        settings.DEBUG = debug
        browser = browser_of(given.booster)
        browser.raise_request_exception = False
        answers = [browser.post(page(given.order, "show/")), browser.post(api(given.order, "/read"))]
        writer = browser_of(given.client)
        writer.raise_request_exception = False
        monkeypatch.setattr("vault.services.GameAccount.objects.update_or_create", broken)
        answers += [
            writer.post(page(given.order), FIELDS),
            writer.post(api(given.order), FIELDS, content_type="application/json"),
        ]
        assert [answer.status_code for answer in answers] == [500] * 4
        if not debug:
            assert [has_it(answer) for answer in answers] == [[], [], [], []]
    assert not [words for words in SHOWN if words in caplog.text]
