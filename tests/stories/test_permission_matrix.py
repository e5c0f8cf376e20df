"""Who × which order × which door: shown and masked as the page of permissions says, or refused with the same bytes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from itertools import product
from typing import Any

import pytest
import websockets
from asgiref.sync import sync_to_async

from accounts.models import User
from orders.models import BaseOrder, Status
from orders.services import order_claim, order_finish
from tests.people import Cast, cast, order_of
from tests.permissions import masked
from tests.server import PATIENCE, Server, session_of
from tests.streams import ask, source

ODD = {"negative": "-1", "a float": "1e3", "too large": str(2**63), "Arabic digits": "%D9%A3"}
TARGETS = ("own", "other", "unassigned", "finished", "deleted", "missing", *ODD)
SEES = {
    "nobody": {},
    "client": {"own": "client", "finished": "client"},
    "booster": {"own": "booster", "finished": "booster", "unassigned": "prospect"},
    "manager": dict.fromkeys(("own", "other", "unassigned", "finished"), "manager"),
    "admin": dict.fromkeys(("own", "other", "unassigned", "finished"), "admin"),
}
"""The audience that each is of each order; where none stands, there is no such order."""

Answer = tuple[frozenset[str] | None, bytes]
"""What is masked in the frame that came; or ``None`` and the bytes of the refusal."""


async def plain(server: Server, user: User | None, key: str) -> Answer:
    async with server.watch(f"/ws/orders/{key}/", user) as watch:
        try:
            async with asyncio.timeout(PATIENCE):
                return seen(str(await watch.socket.recv()))
        except websockets.ConnectionClosed:
            return None, f"{watch.socket.close_code} {watch.socket.close_reason}".encode()


async def sync(server: Server, user: User | None, key: str) -> Answer:
    session = await sync_to_async(session_of)(user) if user else ""
    headers = {"Cookie": f"sessionid={session}"} if user else {}
    protocol = websockets.Subprotocol("order-sync.v1")
    async with (
        asyncio.timeout(PATIENCE * 2),
        websockets.connect(
            f"{server.ws_url}/ws/orders/",
            additional_headers=headers,
            origin=websockets.Origin(server.url),
            subprotocols=[protocol],
        ) as socket,
    ):
        try:
            await socket.send(json.dumps({"type": "subscribe", "id": "a", "topic": f"order:{key}"}))
            while True:
                text = str(await socket.recv())
                if '"order.update"' in text:
                    return seen(text)
                if '"error"' in text or '"goodbye"' in text:
                    return None, text.encode()
        except websockets.ConnectionClosed:
            return None, str(socket.close_code).encode()


async def stream(server: Server, user: User | None, key: str) -> Answer:
    async with source(server, f"/api/orders/{key}/stream", user) as found:
        if found.status == 200:
            return seen(json.dumps(await found.frame()))
        return None, b"%d " % found.status + await found.reader.readexactly(int(found.headers["content-length"]))


async def http(path: str, inside: Callable[[Any], Any], server: Server, user: User | None, key: str) -> Answer:
    answer = await ask(server, f"/api/orders/{key}{path}", user)
    if answer.status == 200:
        return seen(json.dumps(inside(answer.json())))
    return None, b"%d " % answer.status + answer.body


def newest_told(found: Any) -> Any:
    """Return the newest frame of a history; a deletion has none."""
    return [event["frame"] for event in found["events"] if event["frame"]][-1]


DOORS: dict[str, Callable[[Server, User | None, str], Awaitable[Answer]]] = {
    "plain": plain,
    "sync": sync,
    "stream": stream,
    "state": partial(http, "/state", lambda found: found),
    "history": partial(http, "/events?after=0", newest_told),
    "api": partial(http, "", lambda found: found["order"]),
}


def seen(text: str) -> Answer:
    """Return what is masked in the frame, each with the value null and nothing else."""
    frame = json.loads(text)
    assert frame["type"] == "order.update", frame
    hidden = frozenset(frame["masked"])
    assert all(frame[name] is None for name in hidden), frame
    return hidden, b""


def orders(people: Cast) -> dict[str, str]:
    """Return the key of each target."""
    finished = order_claim(order_id=order_of(people.client).pk, booster=people.booster)
    order_finish(order_id=finished.pk, by=people.manager)
    mine = {"client": people.client, "booster": people.booster, "status": Status.CONTINUE}
    deleted = BaseOrder.objects.create(**mine, game="none", actual_price=Decimal(10), booster_price=Decimal(7))
    found = {
        "own": people.order.pk,
        "other": order_claim(order_id=order_of(people.other_client).pk, booster=people.other_booster).pk,
        "unassigned": order_of(people.other_client).pk,
        "finished": finished.pk,
        "deleted": deleted.pk,
        "missing": 987654321,
    }
    deleted.delete()
    return {name: str(key) for name, key in found.items()} | ODD


@pytest.mark.parametrize("door", DOORS)
async def test_who_sees_what_through_which_door(standing_server: Server, door: str) -> None:
    people = await sync_to_async(cast)()
    keys, hidden = await sync_to_async(orders)(people), masked()
    refused: dict[str, dict[str, bytes]] = {}
    few = asyncio.Semaphore(8)

    async def look(role: str, target: str) -> None:
        user = None if role == "nobody" else getattr(people, role)
        async with few:
            found, refusal = await DOORS[door](standing_server, user, keys[target])
        audience = SEES[role].get(target)
        if (door, target) == ("history", "deleted") and role in ("manager", "admin"):
            audience = role  # what was deleted is told to auditors
        cell = f"{role} sees {target} through {door}"
        if audience is None:
            assert found is None, cell
            refused.setdefault(role, {})[target] = refusal
        else:
            assert found == hidden[audience], f"{cell} as {audience}, refusal {refusal!r}"

    await asyncio.gather(*(look(role, target) for role, target in product(SEES, TARGETS)))
    for role, answers in refused.items():
        assert len(set(answers.values())) == 1, f"{role}: refusals differ: {answers}"
    known = {answer for role, answers in refused.items() if role != "nobody" for answer in answers.values()}
    assert len(known) == 1, f"refusals tell who asks: {known}"
