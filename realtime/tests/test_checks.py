"""System checks: each is raised by what it names, with a hint, and silent otherwise."""

import importlib.util
from importlib.machinery import ModuleSpec
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
        ({"DATABASE": "replica"}, "realtime.E006", "default"),
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


def test_another_package_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleSpec("realtime", None, origin="elsewhere/realtime/__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: other)
    (message,) = checks.check_shadow(None)
    assert (message.id, "elsewhere" in message.msg) == ("realtime.E004", True)


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
