"""The same story on the layers that are not the default: channels-redis core, and one process without any Redis."""

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import override_settings

from gameBoosterss.development.engines import Valkey
from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_report
from orders.services import order_write_note
from tests.bus import carried, versions
from tests.engines import child_environment, own_valkey
from tests.people import cast
from tests.server import ROOT, Server, running, unbroken
from tests.stories.test_a_change_is_seen import MASKED

pytestmark = pytest.mark.older_long


@dataclass
class Core:
    """A server on channels-redis' core layer, and this process with it, on a Valkey of their own."""

    server: Server
    valkey: Valkey


@pytest.fixture(scope="module")
def core(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    with own_valkey() as valkey:
        environment = child_environment() | {"CHANNEL_LAYER": "core", "REDIS_URL": valkey.url}
        config = {"hosts": [valkey.url], "prefix": os.environ["CHANNEL_PREFIX"]}
        layer = {"BACKEND": settings.LAYERS["core"], "CONFIG": config}
        with (
            override_settings(CHANNEL_LAYERS={"default": layer}),
            running(tmp_path_factory.mktemp("core"), environment) as server,
        ):
            yield Core(server, valkey)


@pytest.mark.parametrize("role", MASKED)
async def test_progress_is_seen_over_the_core_layer(core: Core, role: str) -> None:
    people = await sync_to_async(cast)()
    async with core.server.watch(f"/ws/orders/{people.order.pk}/", getattr(people, role)) as watch:
        first = await watch.next()
        await carried(watch, people.order.pk)
        await sync_to_async(division_order_report)(
            order_id=people.order.pk, reached=Position("Gold", 1, 0), by=people.booster
        )
        frame = await watch.until(first["version"] + 1)
        assert frame["reached_rank"] == "Gold"
        assert all(frame[field] is None for field in MASKED[role])
        unbroken(versions(watch))


async def test_a_core_layer_that_forgot_its_groups_is_joined_again(core: Core) -> None:
    people = await sync_to_async(cast)()
    async with core.server.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        first = await watch.next()
        await carried(watch, people.order.pk)
        with redis.Redis.from_url(core.valkey.url) as client:
            client.flushall()
        await sync_to_async(order_write_note)(order_id=people.order.pk, note="forgotten", by=people.client)
        assert (await watch.until(first["version"] + 1))["note"] == "forgotten"
        await carried(watch, people.order.pk)
        unbroken(versions(watch))


class ActingServer(Server):
    """A server with a door through which the test has it write."""

    application = "tests.acting:application"

    async def act(self, what: str, **given: object) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            with urllib.request.urlopen(f"{self.url}/act/{what}?{urlencode(given)}", timeout=30) as answer:
                return dict(json.load(answer))

        return await asyncio.to_thread(ask)


@pytest.fixture
def lonely_server(tmp_path: Path) -> Iterator[ActingServer]:
    """SQLite and the memory broker: what is left where neither engine fits."""
    environment = child_environment() | {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "REDIS_URL": "",
        "REDIS_HOST": "",
        "PYTHONPATH": str(ROOT),
    }
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, env=environment, cwd=ROOT, check=True, timeout=120)
    server = ActingServer(environment, tmp_path / "daphne.log")
    server.start()
    try:
        yield server
    finally:
        server.stop()
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


async def test_one_process_without_engines_shows_changes_to_all(db: None, lonely_server: ActingServer) -> None:
    people = await lonely_server.act("cast")
    path, sessions = f"/ws/orders/{people['order']}/", people["sessions"]
    async with lonely_server.watch_in(path, "") as stranger:
        assert await stranger.closed() == 4401
    async with lonely_server.watch_in(path, sessions["other_client"]) as stranger:
        assert await stranger.closed() == 4404
    for role, rank in zip(MASKED, ("Gold", "Platinum", "Emerald", "Diamond"), strict=True):
        async with lonely_server.watch_in(path, sessions[role]) as watch:
            first = await watch.next()
            await lonely_server.act("report", order=people["order"], booster=people["booster"], rank=rank)
            frame = await watch.next()
            assert (frame["version"], frame["reached_rank"]) == (first["version"] + 1, rank)
            assert "prev" not in frame
            assert frame["masked"] == MASKED[role]
            assert all(frame[field] is None for field in MASKED[role])
