"""What two hundred attackers of each kind cost the server's memory, above two hundred idle honest sockets."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from accounts.models import Role
from orders.models import BaseOrder
from tests.attackers import KINDS, crowd
from tests.engines import child_environment
from tests.people import cast, person
from tests.server import Server, running, session_of
from tests.untouched import nothing_changes
from tests.wire import handshake

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

MANY = 200
MEBIBYTES_AT_MOST = 8
SECONDS = 15
"""Longer than half a message may last."""


@pytest.fixture(scope="module")
def house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), child_environment()) as server:
        yield server
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


def resident(server: Server) -> float:
    """Return the memory of the server, in MiB."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def idle(server: Server, sessions: list[str], order: int) -> float:
    """Return the memory with ``MANY`` honest sockets that do nothing."""
    writers = []
    for number in range(MANY):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, local_addr=(f"127.0.1.{1 + number % 40}", 0)
        )
        session = sessions[number % len(sessions)]
        writer.write(handshake(server, f"/ws/orders/{order}/", session=session, protocol="order-sync.v1"))
        await reader.readuntil(b'"synced"')
        writers.append(writer)
    await asyncio.sleep(2)
    found = resident(server)
    for writer in writers:
        writer.close()
    return found


@sync_to_async
def people_of(order: BaseOrder) -> list[str]:
    """Return sessions of people who may see it: its client, and managers."""
    return [session_of(each) for each in (order.client, *(person(Role.MANAGER) for _ in range(39)))]


async def test_attackers_cost_little(house: Server) -> None:
    people = await sync_to_async(cast)()
    sessions = await people_of(people.order)
    async with nothing_changes(house, people):
        for kind in KINDS:  # once for what is loaded and allocated but once
            await asyncio.gather(
                *(asyncio.wait_for(each.come(), 5) for each in crowd(house, kind, sessions, people.order.pk, 5)),
                return_exceptions=True,
            )
        before = await idle(house, sessions, people.order.pk)
        found = {}
        for kind in KINDS:
            attackers = [
                asyncio.create_task(each.go_on(0.5)) for each in crowd(house, kind, sessions, people.order.pk, MANY)
            ]
            peak = 0.0
            for _ in range(SECONDS * 20):
                peak = max(peak, resident(house))
                await asyncio.sleep(0.05)
            for each in attackers:
                each.cancel()
            await asyncio.gather(*attackers, return_exceptions=True)
            found[kind] = round(peak - before, 1)
            print(kind, found[kind], flush=True)
    assert max(found.values()) <= MEBIBYTES_AT_MOST, f"above {before:.1f} MiB: {found}"
