"""A project's own way to say who one is: the class of the README, at every door."""

import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core import signing
from django.core.checks import run_checks
from pytest_django import Settings

import realtime
from realtime.gateways.origin import AllowedOrigins
from realtime.routing import websocket_urlpatterns
from realtime.testing import connect_as
from realtime.tests.asking import browser
from realtime.tests.people import delivery

pytestmark = pytest.mark.django_db(transaction=True)

SYNC = "delivery-sync.v1"
README = Path(realtime.__file__).with_name("README.md")


@pytest.fixture(autouse=True)
def devices(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project of the README, whose authenticator stands in front of ours."""
    (block,) = [part for part in README.read_text().split("```python\n") if "class DeviceKey" in part]
    module = ModuleType("devices")
    exec(block.split("```")[0], vars(module))
    monkeypatch.setitem(__import__("sys").modules, "devices", module)
    known = ["devices.DeviceKey", "realtime.credentials.Bearer", "realtime.credentials.Session"]
    settings.REALTIME = {**settings.REALTIME, "AUTHENTICATORS": known, "REFUSAL_SECONDS": 0.01}


def device_key(person: Any, *, until: float | None = None) -> dict[str, str]:
    end = time.time() + 60 if until is None else until
    return {"X-Device-Key": signing.dumps([str(person.pk), int(end)], salt="device")}


async def test_a_proof_that_is_forged_or_over_opens_nothing() -> None:
    record = await sync_to_async(delivery)()
    good, over = device_key(record.sender), device_key(record.sender, until=time.time() - 1)
    for shown in ({"X-Device-Key": good["X-Device-Key"] + "x"}, over, {"X-Device-Key": ""}):
        async with connect_as(None, f"/ws/deliveries/{record.pk}/", headers=shown) as socket:
            assert await socket.closed() == 4401
        async with browser(record.sender) as person:
            answer = await person.get(f"/api/deliveries/{record.pk}/state", headers=shown)
            assert answer.status_code == 401, "the cookie beside it does not count"


@pytest.mark.parametrize("protocol", ["", SYNC])
async def test_a_proof_of_ones_own_opens_sockets_and_requests(protocol: str) -> None:
    record = await sync_to_async(delivery)()
    shown = device_key(record.sender)
    async with connect_as(None, f"/ws/deliveries/{record.pk}/", protocol=protocol, headers=shown) as socket:
        assert (await socket.until(type="delivery.update"))["price"] == "10.00"
    async with browser(None) as nobody:
        answer = await nobody.get(f"/api/deliveries/{record.pk}/state", headers=shown)
        assert answer.json()["price"] == "10.00"


async def test_what_no_browser_adds_by_itself_needs_no_origin() -> None:
    from channels.routing import URLRouter

    record = await sync_to_async(delivery)()
    guarded = AllowedOrigins(URLRouter(websocket_urlpatterns))  # type: ignore[arg-type]
    shown = device_key(record.sender)
    async with connect_as(None, f"/ws/deliveries/{record.pk}/", application=guarded, headers=shown) as socket:
        assert (await socket.next())["version"] == 1


def test_what_is_no_authenticator_is_said_at_start(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "AUTHENTICATORS": ["devices.DeviceKey", "nowhere.Key", "time.sleep"]}
    wrong = [error for error in run_checks() if error.id == "realtime.E008"]
    assert ["nowhere.Key" in str(wrong[0]), "time.sleep" in str(wrong[1]), len(wrong)] == [True, True, 2]
    assert "realtime.credentials.Authenticator" in str(wrong[0].hint)
