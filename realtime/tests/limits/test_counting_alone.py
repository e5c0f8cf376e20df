"""A Redis that is away or mute refuses nobody, and is not waited for."""

import socket
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from realtime import metrics
from realtime.tests.limits.places import Make, entered, layer_at, limit, own_name
from realtime.tests.test_metrics import raises, read

pytestmark = pytest.mark.older_long


@pytest.fixture
def mute() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"


async def test_a_mute_server_is_asked_once_and_refuses_nobody(settings: Settings, make: Make, mute: str) -> None:
    limit(settings, SHARED_TIMEOUT=0.2, SHARED_PAUSE=600.0, HANDSHAKES_BURST=1000)
    layer_at(settings, mute)
    quotas, name = make(), own_name()
    mutes, away = read(metrics.counted_alone, "mute"), read(metrics.counted_alone, "away")
    assert all([await entered(quotas, "192.0.2.1", name) for _ in range(2)])
    assert await entered(quotas, "192.0.2.1", name) is None, "the process's own count holds"
    assert read(metrics.counted_alone, "mute") == mutes + 1
    assert read(metrics.counted_alone, "away") > away + 3


async def test_nobody_waits_for_a_server_that_is_not_there(settings: Settings, make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    limit(settings, SHARED_PAUSE=600.0)
    layer_at(settings, f"redis://127.0.0.1:{port}/0")
    quotas = make()
    with raises(metrics.counted_alone, "failed"):
        assert await entered(quotas, "192.0.2.1", "alice") is not None
