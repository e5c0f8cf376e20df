"""System checks: each is raised by what it names, with a hint, and silent otherwise."""

from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from pytest_django import Settings

from realtime import checks, feeds
from realtime.feeds import Feed, Field
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import trigger_of, triggers
from realtime.text import TextMiddleware


def ours() -> dict[str, CheckMessage]:
    return {str(message.id): message for message in run_checks() if str(message.id).startswith("realtime.")}


def test_a_project_that_is_set_up_well_is_silent() -> None:
    assert ours() == {}


@pytest.mark.parametrize(
    ("setting", "expected", "hint"),
    [
        ({"VISIBLITY": "open"}, "realtime.E001", "VISIBILITY"),
        ({"XYZ": 1}, "realtime.E001", "Known keys"),
        ({"BROKER": "nowhere.Broker"}, "realtime.E002", "dotted path"),
        ({"BROKER": "realtime.models.Stream"}, "realtime.E002", "dotted path"),
        ({"VISIBILITY": "all"}, "realtime.E003", "masked"),
        ({"CAPTURE": "triggers"}, "realtime.E003", "auto"),
        ({"DATABASE": "replica"}, "realtime.E006", "default"),
        ({"TOKEN_KEYS": {"a": "x" * 32, "b": "x" * 31}}, "realtime.E007", "32 characters"),
        ({"REPAIR_SECONDS": "soon"}, "realtime.E007", "a number, 0 or more"),
        ({"REPAIR_SECONDS": -1}, "realtime.E007", "a number, 0 or more"),
        ({"REPAIR_SECONDS": float("nan")}, "realtime.E007", "a number, 0 or more"),
        ({"POLL_SECONDS": None}, "realtime.E007", "a number, 0 or more"),
        ({"SETTLE_BATCH": 0}, "realtime.E007", "a whole number, 1 or more"),
        ({"TOKEN_PATHS": "/api/"}, "realtime.E007", "a list of strings"),
        ({"TOKEN_PATHS": [""]}, "realtime.E007", "a list of strings"),
        ({"PENDING_FRAMES": 6.4}, "realtime.E007", "a whole number, 1 or more"),
        ({"PENDING_FRAMES": True}, "realtime.E007", "a whole number, 1 or more"),
        ({"HINT_GROUPS": "no"}, "realtime.E007", "True or False"),
        ({"BROKER": 5}, "realtime.E007", "a string"),
        ({"LIMITS": {"USER_SOKETS": 3}}, "realtime.E001", "LIMITS.USER_SOCKETS"),
        ({"LIMITS": {"USER_SOCKETS": 0}}, "realtime.E007", "a whole number, 1 or more"),
        ({"LIMITS": {"LOOPBACK": "no"}}, "realtime.E007", "True or False"),
        ({"LIMITS": "none"}, "realtime.E007", "'loopback'"),
        ({"LIMITS": 10}, "realtime.E007", "a dictionary"),
        ({"TRUSTED_PROXIES": "10.0.0.1"}, "realtime.E007", "10.0.0.0/8"),
        ({"TRUSTED_PROXIES": ["10.0.0.1/8"]}, "realtime.E007", "10.0.0.0/8"),
        ({"DATABASE": ["default"]}, "realtime.E007", "a string"),
    ],
)
def test_a_wrong_setting_is_named(settings: Settings, setting: dict[str, Any], expected: str, hint: str) -> None:
    settings.REALTIME = {**settings.REALTIME, **setting}
    assert hint in str(ours()[expected].hint)


def test_a_wrong_key_is_not_printed(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "TOKEN_KEYS": {"a": "hunter2"}}
    found = ours()["realtime.E007"]
    assert "TOKEN_KEYS" in found.msg
    assert "hunter2" not in f"{found}{found.hint}"


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ("channels_redis.core.RedisChannelLayer", "realtime.W001"),
        ("channels.layers.InMemoryChannelLayer", "realtime.W002"),
    ],
)
def test_a_layer_with_a_trap_is_named(settings: Settings, backend: str, expected: str) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend}}
    settings.REALTIME = {**settings.REALTIME, "BROKER": "realtime.brokers.channel_layer.ChannelLayerBroker"}
    assert ours()[expected].hint


def test_a_number_may_be_whole_where_seconds_are_meant(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 2, "REFUSAL_SECONDS": 0}
    assert ours() == {}


def test_a_path_that_is_no_stored_column(monkeypatch: pytest.MonkeyPatch) -> None:
    class Computed(Feed):
        name, model, audiences, gates = "computed", Delivery, ("sender",), ("owner_id",)
        first = Field("full_name")
        second = Field("courier.display_name")
        third = Field("status.length")
        fourth = Field("nobody.name")
        right = Field("courier.username")

    monkeypatch.setitem(feeds._feeds, "computed", Computed)
    found = [message.msg for message in checks.check_feeds(None) if message.obj is Computed]
    assert len(found) == 5
    assert "Delivery stores no column 'full_name'" in found[1]
    assert "Delivery.status is no foreign key" in found[3]


def of_the_database() -> list[CheckMessage]:
    return [message for message in run_checks(databases=["default"]) if str(message.id).startswith("realtime.")]


@triggers
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DROP TRIGGER {trigger} ON deliveries_route", "missing on deliveries_route"),
        ("ALTER TABLE deliveries_route DISABLE TRIGGER {trigger}", "disabled on deliveries_route"),
        ("ALTER TABLE deliveries_route ENABLE REPLICA TRIGGER {trigger}", "on for replicas only on deliveries_route"),
        ("COMMENT ON FUNCTION realtime_capture_flush() IS 'of older declarations'", "not those of the declarations"),
        ("DROP TABLE realtime_capture_marks CASCADE", "missing on realtime_capture_marks"),
    ],
)
def test_triggers_that_do_not_fire_are_named_and_migrate_mends_them(damage: str, said: str) -> None:
    assert of_the_database() == []
    with connection.cursor() as cursor:
        cursor.execute(damage.format(trigger=trigger_of("deliveries_route", "update")))
    try:
        (message,) = of_the_database()
        assert (message.id, said in message.msg) == ("realtime.W003", True), message.msg
        assert "run migrate" in str(message.hint)
        assert ours() == {}, "the database is asked only when that is wanted"
    finally:
        call_command("migrate", verbosity=0)
    assert of_the_database() == []


@triggers
@pytest.mark.django_db(transaction=True)
def test_a_database_before_its_first_migration_is_silent() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE realtime_stream RENAME TO realtime_stream_away")
        try:
            assert of_the_database() == []
        finally:
            cursor.execute("ALTER TABLE realtime_stream_away RENAME TO realtime_stream")


def test_databases_without_triggers_are_not_asked(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "CAPTURE": "orm"}
    assert checks.check_capture(None, databases=["default"]) == []


@triggers
@pytest.mark.django_db(transaction=True)
def test_functions_of_a_column_that_was_renamed_are_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE deliveries_route RENAME COLUMN town TO place")
        try:
            (message,) = of_the_database()
        finally:
            cursor.execute("ALTER TABLE deliveries_route RENAME COLUMN place TO town")
    assert message.id == "realtime.W003"
    assert "of delivery: column" in message.msg
    assert of_the_database() == []


@triggers
@pytest.mark.django_db(transaction=True)
def test_a_declaration_that_was_changed_since_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = feeds.feed_named("delivery")
    monkeypatch.setattr(feed, "fields", {**feed.fields, "memo": Field("memo")})
    (message,) = of_the_database()
    assert "not those of the declarations" in message.msg


def test_limits_that_are_lifted_here_are_named_before_deployment(settings: Settings) -> None:
    def found() -> set[str | None]:
        return {message.id for message in run_checks(tags=["realtime"], include_deployment_checks=True)}

    settings.REALTIME = {**settings.REALTIME, "LIMITS": {}}
    assert "realtime.W004" not in found()
    settings.REALTIME = {**settings.REALTIME, "LIMITS": "loopback"}
    assert "realtime.W004" in found()
    for behind in ({"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}, {"USE_X_FORWARDED_HOST": True}):
        assert "realtime.W005" not in found()
        with override_settings(**behind):
            assert "realtime.W005" in found()
            settings.REALTIME = {**settings.REALTIME, "TRUSTED_PROXIES": ["127.0.0.1"]}
            assert "realtime.W005" not in found()
            settings.REALTIME = {**settings.REALTIME, "TRUSTED_PROXIES": []}


class Text(TextMiddleware):
    """A project's own, made of ours."""


TEXT, SESSIONS = "realtime.text.TextMiddleware", "django.contrib.sessions.middleware.SessionMiddleware"


@pytest.mark.parametrize(
    ("middleware", "said"),
    [
        ([SESSIONS], "is missing"),
        ([SESSIONS, TEXT], "stands behind"),
        (["nowhere.Middleware", "gameBoosterss.headers.for_every_answer", SESSIONS], "is missing"),
        ([TEXT, SESSIONS], ""),
        ([f"{__name__}.Text", SESSIONS], ""),
        ([], ""),
    ],
)
def test_sessions_that_get_cookies_as_they_came_are_named(settings: Settings, middleware: list[str], said: str) -> None:
    settings.MIDDLEWARE = middleware
    found = checks.check_middleware(None)
    assert [message.id for message in found] == (["realtime.W006"] if said else [])
    assert all(said in message.msg and "in front of" in str(message.hint) for message in found)
