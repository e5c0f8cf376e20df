"""The layer or the database is late, mute, cut off or full: sockets stay or come back, and nothing is missing.

The server reaches both by way of proxies; the writer does not, so that the trouble is the server's alone.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.test import override_settings

from gameBoosterss.development.engines import Valkey
from orders.services import order_write_note
from realtime.models import Event
from tests.engines import child_environment, own_valkey
from tests.following import Follower, following
from tests.people import Cast, cast
from tests.proxy import Proxy
from tests.server import Server, running

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="the proxy stands in front of PostgreSQL")

GUEST = "guest_of_the_stories"
BEHIND = 2.0
"""Seconds that a viewer may be behind while the layer is away (I2)."""


@dataclass
class House:
    server: Server
    database: Proxy
    layer: Proxy
    valkey: Valkey
    url: str
    """The database, as the server's role and past the proxy."""


@pytest.fixture(scope="module")
def house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    environment = child_environment()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {GUEST} LOGIN PASSWORD '{GUEST}' CONNECTION LIMIT 12")
        cursor.execute(f"GRANT pg_read_all_data, pg_write_all_data TO {GUEST}")
        cursor.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {GUEST}")
    try:
        with ExitStack() as stack:
            parts = urlsplit(environment["DATABASE_URL"])
            url = parts._replace(netloc=f"{GUEST}:{GUEST}@{parts.hostname}:{parts.port}").geturl()
            database = stack.enter_context(Proxy.in_front_of(url))
            valkey = stack.enter_context(own_valkey())
            layer = stack.enter_context(Proxy.in_front_of(valkey.url))
            layers = {"default": dict(settings.CHANNEL_LAYERS["default"])}
            layers["default"]["CONFIG"] = layers["default"]["CONFIG"] | {"hosts": [valkey.url]}
            stack.enter_context(override_settings(CHANNEL_LAYERS=layers))
            by_proxy = environment | {"DATABASE_URL": database.url, "REDIS_URL": layer.url}
            server = stack.enter_context(running(tmp_path_factory.mktemp("server"), by_proxy))
            yield House(server, database, layer, valkey, url)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP OWNED BY {GUEST}; DROP ROLE {GUEST}")


@asynccontextmanager
async def load(people: Cast) -> AsyncIterator[None]:
    """Somebody writes all the while."""
    ends = asyncio.Event()

    async def write() -> None:
        number = 0
        while not ends.is_set():
            number += 1
            await sync_to_async(order_write_note)(order_id=people.order.pk, note=f"note {number}", by=people.client)
            await asyncio.sleep(0.05)

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        ends.set()
        await writing


@sync_to_async
def head_of(people: Cast, *, before: float = 0.0) -> int:
    """Return the newest version that was written ``before`` so many seconds."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT max(version) FROM {Event._meta.db_table} WHERE topic = %s"
            " AND at <= clock_timestamp() - make_interval(secs => %s)",
            [f"order.{people.order.pk}", before],
        )
        return cursor.fetchone()[0] or 0


async def database_cut(house: House) -> None:
    for _ in range(3):
        house.database.cut()
        await asyncio.sleep(0.3)


async def database_ends_connections(house: House) -> None:
    @sync_to_async
    def terminate() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE client_port = ANY(%s)",
                [house.database.ports],
            )
            return int(cursor.fetchone()[0])

    assert await terminate() > 0
    await asyncio.sleep(0.5)


async def database_mute(house: House) -> None:
    house.database.mute()
    await asyncio.sleep(2)
    house.database.heal()


async def database_down(house: House) -> None:
    house.database.refuse()
    await asyncio.sleep(2)
    house.database.heal()


async def database_full(house: House) -> None:
    """Every connection that the server's role may have is somebody else's."""
    with ExitStack() as stack:
        house.database.refuse()
        await asyncio.sleep(0.2)
        taken = 0
        while True:
            try:
                stack.enter_context(psycopg.connect(house.url))
                taken += 1
            except psycopg.OperationalError as error:
                if "too many connections" in str(error) and taken > 10:
                    break
                await asyncio.sleep(0.1)
        house.database.heal()
        await asyncio.sleep(2)


async def layer_mute(house: House) -> None:
    house.layer.mute()
    await asyncio.sleep(4)
    house.layer.heal()


async def layer_late(house: House) -> None:
    house.layer.delay(0.3)
    await asyncio.sleep(3)
    house.layer.heal()


async def layer_slow(house: House) -> None:
    house.layer.throttle(2000)
    await asyncio.sleep(3)
    house.layer.heal()


async def layer_cut(house: House) -> None:
    for _ in range(3):
        house.layer.cut()
        await asyncio.sleep(0.3)


async def layer_down(house: House) -> None:
    house.layer.refuse()
    await asyncio.sleep(3)
    house.layer.heal()


async def layer_holds_its_clients(house: House) -> None:
    import redis

    with redis.Redis.from_url(house.valkey.url) as client:
        client.execute_command("CLIENT", "PAUSE", "2000", "ALL")
    await asyncio.sleep(2)


TROUBLES = [
    database_cut, database_ends_connections, database_mute, database_down, database_full,
    layer_mute, layer_late, layer_slow, layer_cut, layer_down, layer_holds_its_clients,
]  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES, ids=[trouble.__name__ for trouble in TROUBLES])
async def test_nothing_is_missing_after_an_engine_failed(
    house: House, trouble: Callable[[House], Awaitable[None]]
) -> None:
    people = await sync_to_async(cast)()
    host, topics = f"127.0.0.1:{house.server.port}", {"a": f"order:{people.order.pk}"}
    async with (
        following(host, people.client, topics, "all") as whole,
        following(host, people.booster, {**topics, "b": "orders:mine"}) as newest,
        load(people),
    ):
        try:
            for each in (None, trouble):
                if each is not None:
                    await each(house)
                head = await head_of(people) + 1
                await whole.until_version(people.order.pk, head)
                await newest.until_version(people.order.pk, head)
        finally:
            house.database.heal()
            house.layer.heal()
        came = whole.versions(people.order.pk)
        assert came == list(range(came[0], came[-1] + 1)), "every version, once, in order"


async def nobody_is_far_behind(people: Cast, followers: list[Follower], seconds: float) -> None:
    """Watch for ``seconds``: what was written ``BEHIND`` seconds ago, every viewer has. A machine that stands still
    is given its time.
    """
    until, before = time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < until:
        await asyncio.sleep(0.2)
        stood_still = max(0.0, time.monotonic() - before - 0.25)
        before = time.monotonic()
        head = await head_of(people, before=BEHIND + 5 * stood_still)
        for follower in followers:
            held = follower.mirror.records[str(people.order.pk)]["version"]
            assert held >= head, f"v{head} was written {BEHIND} s ago, he has v{held}"


@pytest.mark.parametrize("seconds", [6, pytest.param(30, marks=pytest.mark.long)])
async def test_while_the_layer_is_away_nobody_is_far_behind(house: House, seconds: float) -> None:
    people = await sync_to_async(cast)()
    host, topics = f"127.0.0.1:{house.server.port}", {"a": f"order:{people.order.pk}"}
    async with (
        following(host, people.client, topics, "all") as one,
        following(host, people.manager, topics) as another,
        load(people),
    ):
        await one.until_version(people.order.pk, await head_of(people) + 1)
        await asyncio.to_thread(house.valkey.stop)
        try:
            await nobody_is_far_behind(people, [one, another], seconds)
        finally:
            house.valkey.start()
        head = await head_of(people) + 1
        for follower in (one, another):
            await follower.until_version(people.order.pk, head)
            assert follower.codes == []
        came = one.versions(people.order.pk)
        assert came == list(range(came[0], came[-1] + 1))
