"""What two hundred attackers of each kind cost the server's memory, above two hundred idle honest sockets."""

import asyncio
import time
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from accounts.models import Role
from orders.models import BaseOrder
from tests.attackers import KINDS, crowd, handshakes
from tests.engines import child_environment
from tests.people import cast, person
from tests.server import Server, running, session_of
from tests.untouched import nothing_changes

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

MANY = 200
MEBIBYTES_AT_MOST = 8
AGAIN = 2.0
"""Seconds until an attacker who was put out comes again; a limit on handshakes would make it more."""
SECONDS = 12
"""Longer than a handshake may last, and the beginning of a short message."""
LONG_MESSAGES = {"half a message": 85}
"""Longer than a message of 64 KiB may last."""


def resident(server: Server) -> float:
    """Return the memory of the server, in MiB."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def idle(server: Server, sessions: list[str], order: int) -> float:
    """Return the memory with ``MANY`` honest sockets that do nothing."""
    opened, writers = handshakes(server, sessions, order), []
    for number in range(MANY):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, local_addr=(f"127.0.1.{1 + number % 40}", 0)
        )
        writer.write(opened[number % len(opened)])
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


@pytest.mark.parametrize("kind", KINDS)
async def test_attackers_cost_little(kind: str, db: None, tmp_path: Path) -> None:
    """Each kind has a server of its own: what one has cost is not given back at once."""
    people = await sync_to_async(cast)()
    sessions = await people_of(people.order)
    with running(tmp_path, child_environment()) as server:
        async with nothing_changes(server, people):
            await attacked(server, kind, sessions, people.order.pk, many=10, seconds=1)  # what is loaded but once
            before = await idle(server, sessions, people.order.pk)
            peak = await attacked(
                server, kind, sessions, people.order.pk, many=MANY, seconds=LONG_MESSAGES.get(kind, SECONDS)
            )
    print(f"{kind}: {peak - before:.1f} MiB above {before:.1f} of {MANY} idle sockets")
    assert peak - before <= MEBIBYTES_AT_MOST
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


async def attacked(server: Server, kind: str, sessions: list[str], order: int, *, many: int, seconds: float) -> float:
    """Return the most memory that the server took while ``many`` of a kind were at it."""
    opened = handshakes(server, sessions, order)
    tasks = [asyncio.create_task(each.go_on(AGAIN)) for each in crowd(server.port, kind, opened, many)]
    peak, until = 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        peak = max(peak, resident(server))
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return peak
