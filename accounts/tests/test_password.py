"""Changing one's own password, from the page that the name in the head of every page leads to."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User

pytestmark = pytest.mark.django_db
PAGE = "/accounts/password/"
NEW = "correct horse battery"


@pytest.fixture(params=[Role.CLIENT, Role.BOOSTER, Role.MANAGER])
def carla(request):
    return User.objects.create_user("carla", password="old one 4711", role=request.param)


def browser_of(user):
    browser = Client()
    browser.force_login(user)
    return browser


def change(browser, *, old="old one 4711", new=NEW, again=None, **more):
    return browser.post(PAGE, {"old_password": old, "new_password1": new, "new_password2": again or new}, **more)


def is_in(browser):
    return browser.get("/").status_code == 200


def test_every_other_session_ends_and_this_one_goes_on(carla):
    here, elsewhere = browser_of(carla), browser_of(carla)
    answer = change(here)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert "You are logged out everywhere else." in here.get("/").content.decode()
    assert (is_in(here), is_in(elsewhere)) == (True, False)
    carla.refresh_from_db()
    assert carla.check_password(NEW)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"old": "wrong"}, "old password was entered incorrectly"),
        ({"new": "short"}, "too short"),
        ({"new": "password"}, "too common"),
        ({"new": "8264910375"}, "entirely numeric"),
        ({"again": "another horse battery"}, "didn’t match"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_changed(carla, words, said):
    here, elsewhere = browser_of(carla), browser_of(carla)
    answer = change(here, **words)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert said in page
    assert not [word for word in ("old one 4711", NEW, *words.values()) if f'value="{word}"' in page]
    assert (is_in(here), is_in(elsewhere)) == (True, True)


def test_who_sits_before_an_open_session_has_no_more_tries_than_a_stranger(carla, settings):
    here = browser_of(carla)
    answers = [change(here, old=f"guess {number}").status_code for number in range(settings.AXES_FAILURE_LIMIT)]
    assert answers == [200] * (settings.AXES_FAILURE_LIMIT - 1) + [429]
    assert change(here).status_code == 429, "the right one does not help either"
    carla.refresh_from_db()
    assert not carla.check_password(NEW)
    assert is_in(here)


def test_a_stranger_is_led_to_the_log_in(carla):
    assert Client().get(PAGE)["Location"] == f"/accounts/login/?next={PAGE}"
    assert change(Client())["Location"].startswith("/accounts/login/")


def test_a_page_of_another_site_changes_nothing(carla):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(carla)
    assert change(browser).status_code == 403


def test_every_page_leads_there(carla):
    assert f'href="{PAGE}"' in browser_of(carla).get("/").content.decode()


def test_the_admin_site_has_no_other_door():
    admin = User.objects.create_superuser("root", password="old one 4711")
    answer = browser_of(admin).get(reverse("admin:password_change"))
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
