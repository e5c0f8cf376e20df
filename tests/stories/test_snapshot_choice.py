"""A viewer gets the state first, unless he asks for what follows only."""

from contextlib import suppress

import pytest
from asgiref.sync import sync_to_async

from orders.services import order_write_note
from tests.people import Cast, cast
from tests.server import Server, Watch, unbroken

pytestmark = pytest.mark.older_long

note = sync_to_async(order_write_note)


async def test_the_state_comes_first_and_is_taken_as_it_is(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    for query in ("", "?snapshot=1", "?snapshot=", "?other=0"):
        async with standing_server.watch(f"/ws/orders/{people.order.pk}/{query}", people.client) as watch:
            first = await watch.next()
            assert first["prev"] is None
            assert first["order_id"] == people.order.pk


async def test_without_a_snapshot_every_following_version_comes_and_nothing_before_it(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    order, client = people.order.pk, people.client
    path = f"/ws/orders/{order}/"
    async with standing_server.watch(path, client) as whole:
        head = (await whole.next())["version"]
        async with standing_server.watch(f"{path}?snapshot=0", client) as following:
            head += await written_until_seen(people, following)
            for number in range(4):
                await note(order_id=order, note=f"then {number}", by=client)
            await following.until(head + 4)
            await whole.until(head + 4)
            assert [frame["version"] for frame in following.frames] == list(range(head, head + 5))
            assert following.frames == whole.frames[-5:]
            unbroken(whole.frames)


async def written_until_seen(people: Cast, watch: Watch) -> int:
    """Change the order until the first frame comes; return how often. Nothing tells when a silent socket has joined."""
    for times in range(1, 100):
        await note(order_id=people.order.pk, note=f"now {times}", by=people.client)
        with suppress(TimeoutError):
            frame = await watch.next(timeout=0.5)
            assert frame["note"] == f"now {times}"
            return times
    raise AssertionError("no frame came")
