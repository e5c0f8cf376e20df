"""The same story over the plain socket, the sync dialect, event streams and polling: the same bytes for each viewer."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
import websockets
from asgiref.sync import sync_to_async

from accounts.models import User
from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_report
from orders.services import order_finish, order_pause, order_reprice, order_resume, order_write_note
from tests.people import Cast, cast
from tests.server import PATIENCE, Server, session_of
from tests.streams import ask, source

VIEWERS = ("client", "booster", "manager", "admin")


def shared(text: str) -> str:
    """Return the bytes that all viewers of an audience share: without ``prev``, which stands in front."""
    return "{" + text.partition(",")[2] if text.startswith('{"prev"') else text


@sync_to_async
def story(people: Cast) -> None:
    order = people.order.pk
    order_write_note(order_id=order, note='Quotes ", lines\n and \u2028 too.', by=people.client)
    order_pause(order_id=order, by=people.booster)
    order_resume(order_id=order, by=people.client)
    prices = {"actual_price": people.order.actual_price, "booster_price": people.order.booster_price}
    order_reprice(order_id=order, **prices, reason="Nothing moved.", by=people.manager, idempotency_key="k")
    division_order_report(order_id=order, reached=Position("Gold", 1), by=people.booster)
    division_order_report(order_id=order, reached=Position("Diamond", 1), by=people.booster)
    order_finish(order_id=order, by=people.booster)


async def plain(server: Server, people: Cast, session: str, got: dict[int, str]) -> None:
    await _socket(server, f"/ws/orders/{people.order.pk}/", session, got, None)


async def dialect(server: Server, people: Cast, session: str, got: dict[int, str]) -> None:
    await _socket(server, f"/ws/orders/{people.order.pk}/", session, got, "order-sync.v1")


async def _socket(server: Server, path: str, session: str, got: dict[int, str], protocol: str | None) -> None:
    async with websockets.connect(
        server.ws_url + path,
        additional_headers={"Cookie": f"sessionid={session}"},
        origin=websockets.Origin(server.url),
        subprotocols=[websockets.Subprotocol(protocol)] if protocol else None,
    ) as socket:
        async for text in socket:
            assert isinstance(text, str)
            if '"type":"order.update"' in text:
                got[json.loads(text)["version"]] = shared(text)


async def record_stream(server: Server, people: Cast, viewer: User, got: dict[int, str]) -> None:
    await _stream(server, f"/api/orders/{people.order.pk}/stream", viewer, got)


async def board_stream(server: Server, people: Cast, viewer: User, got: dict[int, str]) -> None:
    topic = "mine" if viewer.role in ("client", "booster") else "all"
    await _stream(server, f"/api/orders/stream?topic={topic}", viewer, got)


async def _stream(server: Server, path: str, viewer: User, got: dict[int, str]) -> None:
    async with source(server, path, viewer) as stream:
        while event := await stream.next(timeout=600):
            if event.type == "order.update":
                got[event.frame["version"]] = shared(event.data)


async def states(server: Server, people: Cast, session: str, got: dict[int, str]) -> None:
    tag = ""
    while True:
        path = f"/api/orders/{people.order.pk}/state?wait=25"
        reply = await ask(server, path, session=session, headers={"If-None-Match": tag} if tag else {})
        if reply.status == 200:
            tag = reply.headers["etag"]
            got[reply.json()["version"]] = reply.body.decode()


async def polls(server: Server, people: Cast, session: str, got: dict[int, str]) -> None:
    token = "x" * 32
    headers = {"Cookie": f"csrftoken={token}", "X-CSRFToken": token, "Content-Type": "application/json"}
    have = None
    while True:
        question = {"topic": f"order:{people.order.pk}", "have": have, "mode": "all"}
        body = json.dumps(question).encode()
        path = "/api/orders/sync"
        reply = await ask(server, path, session=session, method="POST", headers=headers, body=body)
        assert reply.status == 200, reply.body
        for frame in reply.json()["orders"]:
            version = frame["version"]
            start = reply.body.index(b'"type":"order.update"') if len(reply.json()["orders"]) == 1 else -1
            got[version] = json.dumps({key: value for key, value in frame.items() if key != "prev"})
            if start > 0:
                end = reply.body.index(b'],"removed"', start)
                got[version] = "{" + reply.body[start:end].decode()
        answer = reply.json()
        have = {"epoch": answer["epoch"], "versions": answer["synced"]}
        await asyncio.sleep(0.05)


@sync_to_async
def head_of(people: Cast) -> int:
    from realtime.models import Stream

    return Stream.objects.get(topic=f"order.{people.order.pk}").version


@pytest.mark.parametrize("who", VIEWERS)
async def test_every_transport_gives_each_viewer_the_same_bytes(standing_server: Server, who: str) -> None:
    people = await sync_to_async(cast)()
    viewer = getattr(people, who)
    session = await sync_to_async(session_of)(viewer)
    by_session = {"plain": plain, "dialect": dialect, "states": states, "polls": polls}
    by_viewer = {"record stream": record_stream, "board stream": board_stream}
    got: dict[str, dict[int, str]] = {name: {} for name in (*by_session, *by_viewer)}
    async with AsyncExitStack() as stack:
        group = [asyncio.create_task(f(standing_server, people, session, got[n])) for n, f in by_session.items()]
        group += [asyncio.create_task(f(standing_server, people, viewer, got[n])) for n, f in by_viewer.items()]
        stack.push_async_callback(_ended, group)
        await _until(got, group, await head_of(people))
        await story(people)
        head = await head_of(people)
        await _until(got, group, head)
    events = await ask(standing_server, f"/api/orders/{people.order.pk}/events?limit=200", session=session)
    history = {event["version"]: event["frame"] for event in events.json()["events"]}
    whole = got["plain"]
    assert whole.keys() >= set(range(head - 6, head + 1)), "seven steps, each a version"
    for name, texts in got.items():
        for version, text in texts.items():
            expected: Any = whole.get(version)
            if expected is None:
                continue  # a poll came before the socket
            if name == "polls" and text != expected:
                text, expected = json.loads(text), json.loads(expected)
            assert text == expected, (name, version)
    assert {version: json.loads(text) for version, text in whole.items()} == {v: history[v] for v in whole}


async def _until(got: dict[str, dict[int, str]], group: "list[asyncio.Task[None]]", version: int) -> None:
    async with asyncio.timeout(PATIENCE * 2):
        while not all(version in texts for texts in got.values()):
            for task in group:
                if task.done():
                    task.result()
            await asyncio.sleep(0.05)


async def _ended(group: "list[asyncio.Task[None]]") -> None:
    for task in group:
        task.cancel()
    await asyncio.gather(*group, return_exceptions=True)
