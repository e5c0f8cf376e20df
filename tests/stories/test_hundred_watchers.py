"""A hundred people watch one order that changes a hundred times a second: nobody misses a version.

The crowd reads with a few lines of its own, because a hundred full clients in one Python would be the slow readers.
"""

import asyncio
import json
import subprocess
import sys
import textwrap
import time
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import Role, User
from gameBoosterss.development.children import spawn, stop
from orders.models import BaseOrder
from realtime.models import Stream
from tests.children import PREAMBLE
from tests.engines import child_environment
from tests.people import cast, person
from tests.server import PATIENCE, ROOT, Server, session_of, state_of, unbroken
from tests.wire import TEXT, Frames, handshake

WATCHERS = 100
A_SECOND = 100
LONGEST = 45.0

WRITER = """
order = BaseOrder.objects.get(pk={order})
started = time.monotonic()
for number in range({updates}):
    time.sleep(max(0.0, started + number / {a_second} - time.monotonic()))
    if time.monotonic() - started > {longest}:
        raise SystemExit("the machine is too slow for this test")
    with transaction.atomic():
        order = BaseOrder.objects.select_for_update(no_key=True).get(pk={order})
        order.message = f"update {{number}}"
        order.save()
print({updates} / (time.monotonic() - started))
"""


class Watcher(asyncio.Protocol):
    """Reads frames as they come, and keeps them as bytes until they are judged."""

    def __init__(self, request: bytes) -> None:
        self.request, self.head, self.frames = request, b"", Frames()
        self.texts: list[bytes] = []
        self.first = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if b"\r\n\r\n" not in self.head:
            self.head += data
            self.head, end, data = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            self.head += end
        self.texts += [payload for opcode, payload in self.frames.feed(data) if opcode == TEXT]
        if self.texts and not self.first.done():
            self.first.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True

    def holds(self, version: int) -> bool:
        return bool(self.texts) and f'"version":{version},'.encode() in self.texts[-1]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("updates", [500, pytest.param(1000, marks=pytest.mark.long)])
async def test_a_hundred_watchers_get_a_hundred_updates_a_second(standing_server: Server, updates: int) -> None:
    server = standing_server
    people = await sync_to_async(cast)()
    staff = [await sync_to_async(person)(Role.ADMIN if n % 2 else Role.MANAGER) for n in range(WATCHERS - 2)]
    viewers: list[User] = [people.client, people.booster, *staff]
    path = f"/ws/orders/{people.order.pk}/"
    loop = asyncio.get_running_loop()
    watchers: list[Watcher] = []
    sessions = [await sync_to_async(session_of)(viewer) for viewer in viewers]
    try:
        for session in sessions:
            request = handshake(server, path, session=session)
            _, watcher = await loop.create_connection(lambda r=request: Watcher(r), "127.0.0.1", server.port)  # type: ignore[misc]
            watchers.append(watcher)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(watcher.first for watcher in watchers))
        rate = await written(people.order, updates)
        head = await sync_to_async(Stream.objects.get)(topic=f"order.{people.order.pk}")
        until = time.monotonic() + PATIENCE
        while not all(watcher.holds(head.version) for watcher in watchers):
            assert time.monotonic() < until, [len(watcher.texts) for watcher in watchers]
            await asyncio.sleep(0.05)
    finally:
        for watcher in watchers:
            watcher.transport.abort()
    began = head.version - updates
    complete = 0
    for watcher in watchers:
        assert not watcher.lost
        frames = [json.loads(text) for text in watcher.texts]
        unbroken(frames)
        assert (frames[0]["version"], frames[-1]["version"]) == (began, head.version)
        assert frames[-1]["message"] == f"update {updates - 1}"
        complete += [frame["version"] for frame in frames] == list(range(began, head.version + 1))
    print(f"{rate:.0f} updates a second to {WATCHERS} watchers; {complete} of them got each of {updates} versions")
    # Where the machine cannot keep the pace, states may be merged: each watcher's ``prev`` has accounted for it.
    assert complete == WATCHERS or rate < 0.9 * A_SECOND, "these readers keep up: nothing is to be merged"
    for viewer, watcher in list(zip(viewers, watchers, strict=True))[:4]:
        async with server.watch(path, viewer) as fresh:
            assert state_of(await fresh.next()) == state_of(json.loads(watcher.texts[-1]))


async def written(order: BaseOrder, updates: int) -> float:
    """Change the order in another process, at a steady pace; return how many changes a second it reached."""
    code = WRITER.format(order=order.pk, updates=updates, a_second=A_SECOND, longest=LONGEST)
    child = spawn(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(code)],
        env=child_environment() | {"PYTHONPATH": str(ROOT)},
        output=subprocess.PIPE,
    )
    try:
        said, _ = await asyncio.to_thread(child.communicate)
    finally:
        stop(child)
    assert child.returncode == 0, said
    return float(said.split()[-1])
