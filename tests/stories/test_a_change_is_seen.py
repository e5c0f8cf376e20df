"""A committed change reaches everyone who may see it, as he may see it, through real sockets on a real server."""

import pytest
from asgiref.sync import sync_to_async

from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_report
from tests.people import cast
from tests.server import Server

pytestmark = pytest.mark.older

MASKED = {
    "client": ["booster_price", "last_payout"],
    "booster": ["actual_price", "last_payment"],
    "manager": [],
    "admin": [],
}


async def test_a_stranger_gets_nothing(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    path = f"/ws/orders/{people.order.pk}/"
    for stranger, code in [(None, 4401), (people.other_client, 4404), (people.other_booster, 4404)]:
        async with standing_server.watch(path, stranger) as watch:
            assert await watch.closed() == code
            assert watch.frames == []


@pytest.mark.parametrize("role", MASKED)
async def test_progress_is_seen_masked_for_its_viewer(standing_server: Server, role: str) -> None:
    people = await sync_to_async(cast)()
    async with standing_server.watch(f"/ws/orders/{people.order.pk}/", getattr(people, role)) as watch:
        first = await watch.next()
        assert first["prev"] is None
        assert (first["status"], first["progress"], first["masked"]) == ("Continue", 0, MASKED[role])
        await sync_to_async(division_order_report)(
            order_id=people.order.pk, reached=Position("Gold", 1, 0), by=people.booster
        )
        frame = await watch.next()
        assert frame["version"] == first["version"] + 1
        assert "prev" not in frame
        assert frame["progress"] > 0
        assert (frame["reached_rank"], frame["reached_division"]) == ("Gold", 1)
        assert {"progress", "reached_rank"} <= set(frame["changed"])
        assert all(frame[field] is None for field in MASKED[role])
