"""What fails about one connection is its own: the clock that times all of them goes on."""

from pathlib import Path

from asgiref.sync import sync_to_async

from orders.services import order_write_note
from tests.engines import child_environment
from tests.people import cast
from tests.server import running, session_of
from tests.stories.test_half_sent import codes_in
from tests.wire import frame, handshake, spoken


async def test_a_connection_that_cannot_be_looked_at_does_not_stop_the_clock(db: None, tmp_path: Path) -> None:
    """Who begins a message and does not end it is left by the clock alone, after it has met the faulty one."""
    people = await sync_to_async(cast)()
    path = f"/ws/orders/{people.order.pk}/"
    faulty = "tests.faulty:application"
    with running(tmp_path, child_environment(), application=faulty, handshake_seconds=1.0) as server:
        async with server.watch(f"{path}?faulty", people.client) as watch:
            version = (await watch.next())["version"]
            opened = handshake(server, path, session=await sync_to_async(session_of)(people.client))
            for _ in range(2):
                _, said = await spoken(server, opened, then=frame(b"x")[:1])
                assert codes_in(said) == [4408]
            await sync_to_async(order_write_note)(order_id=people.order.pk, note="After six.", by=people.client)
            await watch.until(version + 1)
        assert "a connection could not be looked at" in server.log.read_text()
