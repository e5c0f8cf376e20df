"""System checks: each is raised by what it names, with a hint, and silent otherwise."""

from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from pytest_django import Settings

from realtime import checks, feeds
from realtime.feeds import Feed, Field
from realtime.tests.deliveries.models import Delivery


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
        ({"REPAIR_SECONDS": "soon"}, "realtime.E007", "a number, 0 or more"),
        ({"REPAIR_SECONDS": -1}, "realtime.E007", "a number, 0 or more"),
        ({"REPAIR_SECONDS": float("nan")}, "realtime.E007", "a number, 0 or more"),
        ({"POLL_SECONDS": None}, "realtime.E007", "a number, 0 or more"),
        ({"SETTLE_BATCH": 0}, "realtime.E007", "a whole number, 1 or more"),
        ({"PENDING_FRAMES": 6.4}, "realtime.E007", "a whole number, 1 or more"),
        ({"PENDING_FRAMES": True}, "realtime.E007", "a whole number, 1 or more"),
        ({"HINT_GROUPS": "no"}, "realtime.E007", "True or False"),
        ({"BROKER": 5}, "realtime.E007", "a string"),
        ({"DATABASE": ["default"]}, "realtime.E007", "a string"),
    ],
)
def test_a_wrong_setting_is_named(settings: Settings, setting: dict[str, Any], expected: str, hint: str) -> None:
    settings.REALTIME = {**settings.REALTIME, **setting}
    assert hint in str(ours()[expected].hint)


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
