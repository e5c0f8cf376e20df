"""Who tries too often is stopped for a while: by name and address, so that nobody locks another person out."""

from datetime import timedelta
from threading import Event, Lock
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.db import connection
from django.test import AsyncClient, Client
from django.utils import timezone

from accounts.models import Role, User
from tests.threads import at_once

pytestmark = pytest.mark.django_db
PATH = "/accounts/login/"
PATIENCE = 30  # seconds
racing = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite in memory has one connection")
HERE, ELSEWHERE = "192.0.2.7", "198.51.100.9"


@pytest.fixture(autouse=True)
def carla(settings):
    settings.AXES_FAILURE_LIMIT = 3
    return User.objects.create_user("carla", password="right", role=Role.CLIENT)


def tried(password="wrong", *, name="carla", address=HERE, path=PATH, **headers):
    return Client().post(path, {"username": name, "password": password}, REMOTE_ADDR=address, headers=headers or None)


def locked(address=HERE, name="carla"):
    return [tried(address=address, name=name) for _ in range(3)][-1]


def test_a_wrong_password_is_told_as_ever():
    answer = tried()
    assert answer.status_code == 200
    assert b"do not belong together" in answer.content


def test_the_right_password_logs_in_and_forgets_the_wrong_ones():
    tried()
    tried()
    assert tried("right").status_code == 302
    tried()
    tried()
    assert tried("right").status_code == 302


def test_after_too_many_tries_the_right_password_does_not_help_and_the_page_says_until_when():
    assert locked().status_code == 429
    answer = tried("right")
    assert answer.status_code == 429
    assert b"Try again in 15 min." in answer.content
    assert answer["Retry-After"] == "900"
    assert "no-store" in answer["Cache-Control"]
    assert "Content-Security-Policy" in answer
    assert "sessionid" not in answer.cookies


def test_a_program_is_told_in_json():
    locked()
    answer = tried("right", accept="application/json")
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "too_many_tries"
    assert "Try again in" in answer.json()["error"]["message"]


def test_a_stranger_at_another_address_locks_nobody_out():
    for _ in range(10):
        tried(address=ELSEWHERE)
    assert tried("right", address=ELSEWHERE).status_code == 429
    assert tried("right").status_code == 302


def test_another_name_at_the_address_is_not_locked_out():
    User.objects.create_user("chen", password="right", role=Role.CLIENT)
    locked()
    assert tried("right", name="chen").status_code == 302


def test_a_header_that_anybody_can_send_is_no_address():
    for number in range(3):
        tried(**{"X-Forwarded-For": f"203.0.113.{number}"})
    assert tried("right", **{"X-Forwarded-For": "203.0.113.99"}).status_code == 429


def test_behind_a_listed_proxy_each_client_has_his_own_tries(settings):
    settings.REALTIME = {**settings.REALTIME, "TRUSTED_PROXIES": [HERE]}
    for _ in range(10):
        tried(**{"X-Forwarded-For": "203.0.113.1"})
    assert tried("right", **{"X-Forwarded-For": "203.0.113.99, 203.0.113.1"}).status_code == 429
    assert tried("right", **{"X-Forwarded-For": "203.0.113.2"}).status_code == 302


def test_tries_meanwhile_do_not_make_it_longer_and_afterwards_it_is_over():
    locked()
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=10))
    answer = tried("right")
    assert (answer.status_code, answer["Retry-After"]) == (429, "300")
    assert tried("right")["Retry-After"] == "300"
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert tried("right").status_code == 302


def test_the_admin_site_is_protected_by_the_same():
    locked()
    assert tried("right", path="/admin/login/").status_code == 429


def test_a_session_that_is_there_goes_on():
    browser = Client()
    browser.force_login(User.objects.get(username="carla"))
    locked()
    assert browser.get("/", REMOTE_ADDR=HERE).status_code == 200


def test_what_is_stored_of_a_try_has_no_password():
    tried("hunter2")
    (row,) = AccessAttempt.objects.values()
    assert "hunter2" not in repr(row)


@pytest.mark.django_db(transaction=True)
async def test_under_asgi_the_answer_is_the_same():
    for _ in range(3):
        await AsyncClient().post(PATH, {"username": "carla", "password": "wrong"})
    answer = await AsyncClient().post(PATH, {"username": "carla", "password": "right"})
    assert answer.status_code == 429
    assert b"Try again in 15 min." in answer.content


def test_where_the_line_has_no_address_one_is_counted_too():
    assert locked(address="").status_code == 429


@racing
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", [PATH, "/admin/login/"])
def test_of_many_tries_at_once_one_password_is_looked_at_and_the_others_are_told(path, monkeypatch):
    many, lock, all_told = 8, Lock(), Event()
    looked_at: list[str] = []
    told: list[Any] = []

    def done_when_everybody_is_somewhere():
        if len(looked_at) + len(told) == many:
            all_told.set()

    def look(user, password):
        with lock:
            looked_at.append(password)
            done_when_everybody_is_somewhere()
        assert all_told.wait(PATIENCE)
        return False

    def knock():
        answer = tried(path=path)
        with lock:
            told.append(answer)
            done_when_everybody_is_somewhere()

    monkeypatch.setattr(User, "check_password", look)
    at_once([knock] * many)
    assert sorted(answer.status_code for answer in told) == [200] + [429] * (many - 1)
    assert len(looked_at) == 1
    (first, *_) = told
    assert b"Another try with this name is being looked at. Try again." in first.content
    assert first["Retry-After"] == "1"
    assert AccessAttempt.objects.get().failures_since_start == 1, "who was not looked at does not count"
    monkeypatch.undo()
    assert tried("right").status_code == 302, "the turn is given back"


@racing
@pytest.mark.django_db(transaction=True)
def test_a_try_with_another_name_or_from_elsewhere_does_not_wait(monkeypatch):
    User.objects.create_user("chen", password="right", role=Role.CLIENT)
    all_there, lock, there = Event(), Lock(), []

    def look(user, password):
        with lock:
            there.append(user.username)
            if len(there) == 3:
                all_there.set()
        assert all_there.wait(PATIENCE), "somebody was not let in beside the others"
        return False

    monkeypatch.setattr(User, "check_password", look)
    at_once([tried, lambda: tried(name="chen"), lambda: tried(address=ELSEWHERE)])
    assert sorted(there) == ["carla", "carla", "chen"]


def test_an_error_while_a_password_is_looked_at_gives_the_turn_back(monkeypatch):
    def broken(user, password):
        raise RuntimeError("the database went away")

    monkeypatch.setattr(User, "check_password", broken)
    with pytest.raises(RuntimeError):
        tried()
    monkeypatch.undo()
    assert tried("right").status_code == 302
