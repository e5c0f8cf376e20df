"""In the sync dialect a forbidden and a missing order are the same bytes, on a real server (I20)."""

import asyncio
import json
from typing import Any

import pytest
import websockets
from asgiref.sync import sync_to_async

from accounts.models import User
from tests.people import cast
from tests.server import Server, session_of


async def answers(server: Server, user: User, **said: Any) -> list[str]:
    """Return the bytes that follow ``welcome``, up to the answer to ``subscribe``."""
    session = await sync_to_async(session_of)(user)
    async with websockets.connect(
        f"{server.ws_url}/ws/orders/",
        additional_headers={"Cookie": f"sessionid={session}"},
        origin=websockets.Origin(server.url),
        subprotocols=[websockets.Subprotocol("order-sync.v1")],
        compression=None,
    ) as socket:
        assert json.loads(await socket.recv())["type"] == "welcome"
        await socket.send(json.dumps({"type": "subscribe", "id": "a", **said}))
        return [str(await socket.recv())]


@pytest.mark.parametrize("mode", ["latest", "all"])
@pytest.mark.parametrize("held", [None, 1, 10**6])
async def test_the_forbidden_and_the_missing_are_the_same_bytes(
    standing_server: Server, mode: str, held: int | None
) -> None:
    people = await sync_to_async(cast)()
    key = people.order.pk
    keys = [key, 987654321, 0, -1, 2**63, "1e3", "٣", "", f"0{key}", f" {key}", "9" * 100]
    seen = {}

    async def asked(each: object) -> None:
        have = {} if held is None else {"have": {"epoch": "any", "versions": {str(each): held}}}
        topic = f"order:{each}"
        (seen[topic],) = await answers(standing_server, people.other_client, topic=topic, mode=mode, **have)

    await asyncio.gather(*map(asked, keys))
    assert len(set(seen.values())) == 1, seen
    assert json.loads(seen[f"order:{key}"])["code"] == "not_found"
