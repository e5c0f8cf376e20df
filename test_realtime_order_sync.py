#!/usr/bin/env python3
"""Four checks of the real-time order sync on a real server: ``python test_realtime_order_sync.py``.

Everything is its own and goes when it ends: Daphne, a database made for the purpose, and, unless DATABASE_URL and
REDIS_URL (or REDIS_HOST and REDIS_PORT) name servers, PostgreSQL and Valkey. Exit code 0, or 1 with the reason.
"""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.people import Cast
    from tests.server import Server, Watch

ROOT = Path(__file__).resolve().parent
NEEDED = ("channels_redis", "daphne", "django", "psycopg", "pytest", "websockets")
SECONDS = 15.0


class Wrong(Exception):
    """A check found something else than it should; the message says what."""


def test_the_four_checks_of_the_script() -> None:
    """For pytest: the script as a user starts it, on databases of its own."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, cwd=ROOT, timeout=170)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 checks passed" in done.stdout


def main() -> int:
    """Return the exit code."""
    if not all(find_spec(name) for name in NEEDED):
        return with_requirements()
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    from gameBoosterss.development.engines import EngineError

    try:
        with ExitStack() as stack:
            prepare(stack)
            return checks(stack)
    except (EngineError, Wrong) as reason:
        print(f"\nFAILED: {reason}")
        return 1


def with_requirements() -> int:
    """Start again with the project's Python, which ``./dev`` makes."""
    python = ROOT / ".venv" / "bin" / "python"
    if os.environ.get("ORDER_SYNC_STARTED_AGAIN"):
        print(f"{sys.executable} lacks some of: {', '.join(NEEDED)}. Run ./dev test first, then this again.")
        return 1
    if not python.exists():
        subprocess.run([sys.executable, str(ROOT / "dev"), "test", "--steps"], stdout=subprocess.DEVNULL)
    if not python.exists():
        print("The requirements are missing. Run ./dev test first, then this again.")
        return 1
    os.environ["ORDER_SYNC_STARTED_AGAIN"] = "1"
    return subprocess.call([python, __file__])


def prepare(stack: ExitStack) -> None:
    """Start the engines, make an empty database, and set Django up on it."""
    import django
    from django.core.management import call_command

    from gameBoosterss.development.engines import engines
    from tests.engines import scratch

    print("Real-time order sync: four checks\n", flush=True)
    folder = stack.enter_context(scratch())
    found = stack.enter_context(engines(folder, durable=False))
    for note in found.notes:
        print(note)
    if not found.has_redis:
        raise Wrong("the second check needs Redis, and there is no embedded one here. Set REDIS_URL.")
    database = stack.enter_context(scratch_database(found.variables["DATABASE_URL"], folder))
    os.environ.update(
        found.variables,
        DATABASE_URL=database,
        CHANNEL_PREFIX=f"check-{secrets.token_hex(4)}",
        LOG_DIR=str(folder / "log"),
        LOG_LEVEL="ERROR",
        DJANGO_SETTINGS_MODULE="gameBoosterss.settings",
        DEBUG="1",
        HTTPS="0",
        ALLOWED_HOSTS="127.0.0.1",
        SECRET_KEY=secrets.token_urlsafe(64),
    )
    django.setup()
    stack.callback(let_go)
    call_command("migrate", interactive=False, verbosity=0)


@contextmanager
def scratch_database(url: str, folder: Path) -> Iterator[str]:
    """Give the URL of an empty database beside the one of ``url``, and drop it at the end."""
    if urlsplit(url).scheme == "sqlite":
        yield f"sqlite:///{folder / 'check.sqlite3'}"
        return
    import psycopg

    name = f"order_sync_check_{secrets.token_hex(4)}"
    try:
        server = psycopg.connect(url, autocommit=True, connect_timeout=10)
        server.execute(f'CREATE DATABASE "{name}"')
    except psycopg.Error as error:
        raise Wrong(f"no database could be made for the checks: {error}") from None
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.close()


def let_go() -> None:
    """End what this process holds of the database, before it is dropped."""
    from django.db import connections

    from realtime import relay

    relay.end()
    connections.close_all()


def checks(stack: ExitStack) -> int:
    """Run the four checks on a server and print what was seen."""
    from tests.engines import scratch
    from tests.people import cast
    from tests.server import running

    people = cast()
    server = stack.enter_context(running(stack.enter_context(scratch()), os.environ))
    print(f"Daphne on {server.url}, order {people.order.pk}: {people.order.title}\n", flush=True)
    started, passed = time.monotonic(), 0
    listed: list[tuple[str, Callable[[Server, Cast], Awaitable[str]]]] = [
        ("The connection opens", connection_opens),
        ("An order update triggers group messages", update_triggers_group_messages),
        ("Progress updates are broadcast", progress_is_broadcast),
        ("Several clients receive updates", several_clients_receive),
    ]
    for number, (name, check) in enumerate(listed, 1):
        try:
            seen = asyncio.run(bounded(check, server, people))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the report's to say
            reason = f"{error}" or f"nothing came within {SECONDS:.0f} s ({type(error).__name__})"
            print(f"  FAILED  {number}. {name}\n          {reason}", flush=True)
        else:
            passed += 1
            print(f"  ok      {number}. {name}\n          {seen}", flush=True)
    print(f"\n{passed} of {len(listed)} checks passed in {time.monotonic() - started:.1f} s")
    return 0 if passed == len(listed) else 1


async def bounded(check: Callable[["Server", "Cast"], Awaitable[str]], server: "Server", people: "Cast") -> str:
    async with asyncio.timeout(2 * SECONDS):
        return await check(server, people)


def expect(true: object, words: str) -> None:
    if not true:
        raise Wrong(words)


async def connection_opens(server: "Server", people: "Cast") -> str:
    """The client's socket opens and gives the state; nobody else's does."""
    path = f"/ws/orders/{people.order.pk}/"
    async with server.watch(path, people.client) as watch:
        frame = await watch.next(SECONDS)
        expect(frame["type"] == "order.update", f"the first frame is {frame['type']}")
        expect(frame["order_id"] == people.order.pk, f"the first frame is about order {frame['order_id']}")
    async with server.watch(path, None) as watch:
        expect(await watch.closed(SECONDS) == 4401, "a visitor without log-in was not sent away with 4401")
    async with server.watch(path, people.other_client) as watch:
        expect(await watch.closed(SECONDS) == 4404, "another client was not sent away with 4404")
    return (
        f"version {frame['version']}, {frame['status']}, {frame['progress']} %; strangers are closed with 4401 and 4404"
    )


async def update_triggers_group_messages(server: "Server", people: "Cast") -> str:
    """A saved order is published to its group of the bus, and what is sent to ``order_<id>`` reaches the viewer."""
    from asgiref.sync import sync_to_async
    from channels.layers import get_channel_layer

    from orders.services import order_write_note
    from realtime import brokers
    from tests.bus import carried

    layer, topic = get_channel_layer(), f"order.{people.order.pk}"
    assert layer is not None
    group = f"realtime.bus.{brokers.group_of(topic)}"
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    heard = asyncio.create_task(first_about(layer, channel, topic))
    until = time.monotonic() + SECONDS
    number = 0
    while not heard.done() and time.monotonic() < until:  # the layer does not say when a subscription stands
        number += 1
        await sync_to_async(order_write_note)(order_id=people.order.pk, note=f"Note {number}", by=people.client)
        await asyncio.wait([heard], timeout=1)
    expect(heard.done(), f"nothing about {topic} was published to {group}")
    async with server.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        await watch.next(SECONDS)
        frame = await carried(watch, people.order.pk)
    published = f"{heard.result()} bytes about {topic} in {group}"
    return f"{published}; order_{people.order.pk} reached the client: {frame['message']!r}"


async def first_about(layer: Any, channel: str, topic: str) -> int:
    while True:
        body = str((await layer.receive(channel)).get("body"))
        if f'"{topic}"' in body:
            return len(body)


async def progress_is_broadcast(server: "Server", people: "Cast") -> str:
    """What the booster reports is on the client's socket."""
    from asgiref.sync import sync_to_async

    from games.league_of_legends.ladder import Position
    from games.league_of_legends.services import division_order_report

    async with server.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        first = await watch.next(SECONDS)
        report = sync_to_async(division_order_report)
        await report(order_id=people.order.pk, reached=Position("Gold", 2, 3), by=people.booster)
        frame = await watch.until(first["version"] + 1, SECONDS)
    expect(frame["progress"] > first["progress"], f"progress is {frame['progress']} after {first['progress']}")
    reached = (frame["reached_rank"], frame["reached_division"], frame["reached_marks"])
    expect(reached == ("Gold", 2, 3), f"the place reached is {reached}")
    expect("progress" in frame["changed"], f"changed is {frame['changed']}")
    return f"{first['progress']} % became {frame['progress']} %: {frame['message']}"


async def several_clients_receive(server: "Server", people: "Cast") -> str:
    """Client, booster, manager and admin get the same versions, each masked for him."""
    from asgiref.sync import sync_to_async

    from orders.services import order_pause, order_resume
    from tests.server import unbroken

    viewers = [people.client, people.client, people.booster, people.manager, people.admin]
    async with AsyncExitStack() as stack:
        path = f"/ws/orders/{people.order.pk}/"
        watches: list[Watch] = [await stack.enter_async_context(server.watch(path, viewer)) for viewer in viewers]
        first = [(await watch.next(SECONDS))["version"] for watch in watches]
        for _ in range(3):
            await sync_to_async(order_pause)(order_id=people.order.pk, by=people.manager)
            await sync_to_async(order_resume)(order_id=people.order.pk, by=people.manager)
        for watch in watches:
            await watch.until(first[0] + 6, SECONDS)
            unbroken(watch.frames)
            expect(len(watch.frames) == 7, f"a viewer got {len(watch.frames)} frames instead of 7")
    hidden = [watch.frames[-1]["masked"] for watch in watches]
    expect(hidden[0] == ["booster_price", "last_payout"], f"hidden from the client: {hidden[0]}")
    expect(hidden[2] == ["actual_price", "last_payment"], f"hidden from the booster: {hidden[2]}")
    return f"{len(watches)} sockets got all 6 versions in order; prices are hidden from client and booster as declared"


if __name__ == "__main__":
    sys.exit(main())
