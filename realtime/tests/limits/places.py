"""Places that tests take, and the limits that they set."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.conf import settings as given
from pytest_django import Settings

from realtime.quotas import Place, Quotas

LAYER: Any = given.CHANNEL_LAYERS["default"]
HAS_REDIS = "channels_redis" in LAYER["BACKEND"]
redis = pytest.mark.skipif(not HAS_REDIS, reason="there is no Redis")
FEW = {
    "USER_SOCKETS": 2,
    "ADDRESS_STRANGERS": 3,
    "HANDSHAKES_BURST": 5,
    "HANDSHAKES_RATE": 0.001,
    "LEAVING_SECONDS": 0.0,
}
PATIENT = {"SHARED_TIMEOUT": 30.0}
Make = Callable[[], Quotas]


def limit(settings: Settings, **limits: Any) -> None:
    settings.REALTIME = {**settings.REALTIME, "LIMITS": {**FEW, **PATIENT, **limits}}


async def eventually(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


async def arrived(quotas: Quotas, address: str) -> Place:
    found = await quotas.arrive(address)
    assert isinstance(found, Place), found
    return found


async def entered(quotas: Quotas, address: str, account: str) -> Place | None:
    """Return the place of somebody who has said who he is; ``None``: his user has none left."""
    place = await arrived(quotas, address)
    if await place.belong(account, None) is None:
        return place
    place.leave()
    return None


_numbers = count(1)


def own_name() -> str:
    """Return a name that no other test counts for."""
    return f"account{next(_numbers)}"


def own_address() -> str:
    """Return an address that no other test counts for."""
    return f"192.0.2.{next(_numbers) % 250}"


def layer_at(settings: Settings, url: str) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [url]}}
    }
