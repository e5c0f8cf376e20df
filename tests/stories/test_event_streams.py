"""Server-sent events through a real Daphne: the same frames as a socket, resumed, refused, ended."""

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from orders.models import BaseOrder
from orders.services import order_write_note
from realtime.models import Epoch
from tests.people import Cast, cast, order_of
from tests.server import Server, state_of, unbroken
from tests.stories.conftest import settled
from tests.stories.test_losing_the_order import reassigned
from tests.streams import Reply, ask, source

pytestmark = pytest.mark.older_long

write_note = sync_to_async(order_write_note)


async def noted(people: Cast, *notes: str) -> None:
    for note in notes:
        await write_note(order_id=people.order.pk, note=note, by=people.client)


@sync_to_async
def epoch() -> str:
    return Epoch.objects.get().epoch


def path_of(people: Cast) -> str:
    return f"/api/orders/{people.order.pk}/stream"


ODD = [
    "987654321",
    "0",
    "-1",
    "1e3",
    "%D9%A3",
    str(2**63),
    "%20{}",
    "+{}",
    "0{}",
    "{}%0A",
    "{}%00",
    "%FF",
    "",
    "x" * 500,
]


@pytest.mark.parametrize("what", ["stream", "state", "state?wait=25", "events"])
async def test_strangers_cannot_tell_an_order_from_none(standing_server: Server, what: str) -> None:
    people = await sync_to_async(cast)()
    keys = [str(people.order.pk), *(key.format(people.order.pk) for key in ODD)]

    async def asked(keys: list[str], user: User | None = None, **more: str) -> list[Reply]:
        """Ask for all of them at once: each refusal leaves at its time."""
        paths = [f"/api/orders/{key}/{what}" for key in keys]
        return await asyncio.gather(*(ask(standing_server, path, user, **more) for path in paths))

    for stranger in (people.other_booster, people.other_client):
        answers = await asked(keys, stranger)
        assert {answer.status for answer in answers} == {404}
        assert len({answer.body for answer in answers}) == 1
        assert len({tuple(answer.headers.items()) for answer in answers}) == 1
    # Not even the client's own order is there under another spelling.
    own = await asked(keys[1:], people.client)
    assert {answer.body for answer in own} == {answers[0].body}
    for session in ("", "0" * 32, "'; --", "x" * 4000):
        unknown = await asked(keys[:3], session=session)
        assert {answer.status for answer in unknown} == {401}
        assert len({answer.body for answer in unknown}) == 1


async def test_a_stream_shows_what_the_socket_shows(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    async with (
        standing_server.watch(f"/ws/orders/{people.order.pk}/", people.booster) as watch,
        source(standing_server, path_of(people), people.booster) as stream,
    ):
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["x-accel-buffering"] == "no"
        assert "no-store" in stream.headers["cache-control"]
        first = await stream.frame()
        assert stream.retry is not None
        assert 1500 <= stream.retry <= 4500
        await noted(people, "one", "two", "three")
        last = await stream.until("order.update", note="three")
        await watch.until(last["version"])
        assert first["prev"] is None
        texts = [event.data for event in stream.events]
        unbroken([json.loads(text) for text in texts])
        assert {event.type for event in stream.events} == {"order.update"}
        assert [event.id for event in stream.events] == [
            f"{await epoch()}:{event.frame['version']}" for event in stream.events
        ]
        seen = {frame["version"]: state_of(frame) for frame in watch.frames}
        assert all(state_of(frame) == seen[frame["version"]] for frame in map(json.loads, texts))
        assert last["actual_price"] is None


async def test_resumed_at_every_version(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    await noted(people, "one", "two", "three")
    async with source(standing_server, path_of(people), people.client) as stream:
        head = (await stream.frame())["version"]
    for held in range(head + 1):
        async with source(standing_server, path_of(people), people.client, f"{await epoch()}:{held}") as stream:
            if held == head:
                await noted(people, "the next")
                frame = await stream.frame()
                assert (frame["version"], "prev" in frame) == (head + 1, False), "nothing but the next one"
            else:
                frame = await stream.frame()
                assert (frame["version"], frame.get("prev", frame["version"] - 1)) == (head, held)
    for last in (f"another:{head}", f"{await epoch()}:999999", "nonsense", "x" * 500):
        async with source(standing_server, path_of(people), people.client, last) as stream:
            frame = await stream.frame()
            assert (frame["version"], frame["prev"]) == (head + 1, None), last


async def test_who_loses_the_order_is_told_and_does_not_come_back(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    async with source(standing_server, path_of(people), people.booster) as stream:
        await stream.frame()
        await reassigned(people)
        revoked, goodbye = await stream.rest()
        assert (revoked.type, revoked.frame["reason"]) == ("revoked", "reassigned")
        assert (goodbye.type, goodbye.frame["code"], goodbye.frame["reconnect"]) == ("goodbye", 4404, False)
    assert (await ask(standing_server, path_of(people), people.booster)).status == 404


def topics(frame: dict[str, object]) -> set[str]:
    found = frame["orders"]
    assert isinstance(found, dict)
    return set(found)


async def test_a_board_shows_what_comes_and_goes(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    path = "/api/orders/stream?topic=mine"
    async with source(standing_server, path, people.client) as stream:
        first = await stream.frame()
        assert first["order_id"] == people.order.pk
        synced = await stream.until("synced")
        assert topics(synced) == {str(people.order.pk)}
        other = await sync_to_async(order_of)(people.client)
        added = await stream.until("board")
        assert added["added"] == [other.pk]
        await noted(people, "seen")
        await stream.until("order.update", note="seen")
    async with source(standing_server, path, people.other_client) as stream:
        assert topics(await stream.frame()) == set()


async def test_a_board_resumes_with_what_moved(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    path = "/api/orders/stream?topic=mine"
    still, gone = [await sync_to_async(order_of)(people.client, booster=people.booster) for _ in range(2)]
    await sync_to_async(settled)()  # what has no position yet counts as moved
    async with source(standing_server, path, people.booster) as stream:
        assert len(topics(await stream.until("synced"))) == 3
        last = stream.id
    assert last.startswith(f"{await epoch()}:")
    async with source(standing_server, path, people.booster, last) as stream:
        assert [event.type for event in [await stream.next()] if event] == ["synced"], "nothing moved"
    await noted(people, "moved")
    await sync_to_async(BaseOrder.objects.filter(pk=gone.pk).update)(booster=people.other_booster)
    new = await sync_to_async(order_of)(people.client, booster=people.booster)
    for _ in range(2):  # again the same: a cursor is not used up
        async with source(standing_server, path, people.booster, last) as stream:
            synced = await stream.until("synced")
            updates = {e.frame["order_id"]: e.frame for e in stream.events if e.type == "order.update"}
            assert updates.keys() == {people.order.pk, new.pk}
            assert {frame["prev"] for frame in updates.values()} == {None}
            (board,) = [e.frame for e in stream.events if e.type == "board"]
            assert board["removed"] == [{"order_id": gone.pk, "reason": "forbidden"}]
            assert topics(synced) == {str(order.pk) for order in (people.order, still, new)}
    wrong = ["nonsense", f"{await epoch()}:999999999", f"of another{last[last.index(':') :]}", last[:-1] + "-"]
    for cursor in wrong:
        async with source(standing_server, path, people.booster, cursor) as stream:
            await stream.until("synced")
            assert len(stream.events) == 4, cursor


async def test_a_boards_id_is_that_up_to_which_it_is_complete(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    await sync_to_async(settled)()
    async with source(standing_server, "/api/orders/stream?topic=mine", people.client) as stream:
        await stream.until("synced")
        begun = stream.id
        reading = asyncio.create_task(stream.next(timeout=60))
        await noted(people, "moved")
        assert await reading
        reading = asyncio.create_task(stream.next(timeout=60))  # takes the blocks without data meanwhile
        async with asyncio.timeout(30):
            while stream.id == begun:
                await asyncio.sleep(0.05)
        reading.cancel()
        last = stream.id
    async with source(standing_server, "/api/orders/stream?topic=mine", people.client, last) as stream:
        await stream.until("synced")
        assert len(stream.events) == 1
