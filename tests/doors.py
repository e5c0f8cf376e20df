"""The doors to an order and to a board, each asked in the same way: what is masked there, or how it is refused."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import websockets
from asgiref.sync import sync_to_async

from accounts.models import User
from tests import rights
from tests.server import PATIENCE, Server, session_of
from tests.streams import ask, source

TOKEN = "x" * 32
WRITES = {"Cookie": f"csrftoken={TOKEN}", "X-CSRFToken": TOKEN, "Content-Type": "application/json"}
"""The headers of a POST that may write."""

Answer = tuple[frozenset[str] | None, bytes]
"""What is masked in the frame that came; or ``None`` and the bytes of the refusal."""


async def plain(server: Server, user: User | None, key: str) -> Answer:
    async with server.watch(f"/ws/orders/{key}/", user) as watch:
        try:
            async with asyncio.timeout(PATIENCE):
                return seen(str(await watch.socket.recv()))
        except websockets.ConnectionClosed:
            return None, f"{watch.socket.close_code} {watch.socket.close_reason}".encode()


@asynccontextmanager
async def subscribed(server: Server, user: User | None, topic: str) -> AsyncIterator[websockets.ClientConnection]:
    """A socket of the sync dialect that has asked for ``topic``."""
    session = await sync_to_async(session_of)(user) if user else ""
    async with websockets.connect(
        f"{server.ws_url}/ws/orders/",
        additional_headers={"Cookie": f"sessionid={session}"} if user else {},
        origin=websockets.Origin(server.url),
        subprotocols=[websockets.Subprotocol("order-sync.v1")],
    ) as socket:
        with suppress(websockets.ConnectionClosed):
            await socket.send(json.dumps({"type": "subscribe", "id": "a", "topic": topic}))
        yield socket


async def sync(server: Server, user: User | None, key: str) -> Answer:
    async with asyncio.timeout(PATIENCE * 2), subscribed(server, user, f"order:{key}") as socket:
        try:
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


Listed = tuple[dict[str, frozenset[str]] | None, str]
"""What is masked in each order of the board, by key; or ``None`` and the code of the refusal."""


async def board_by_sync(server: Server, user: User | None, board: str) -> Listed:
    async with asyncio.timeout(PATIENCE * 2), subscribed(server, user, f"orders:{board}") as socket:
        frames: list[dict[str, Any]] = []
        try:
            while True:
                frames.append(json.loads(await socket.recv()))
                if frames[-1]["type"] == "error":
                    return None, frames[-1]["code"]
                if frames[-1]["type"] == "synced":
                    return listed(frames, frames[-1]["orders"])
        except websockets.ConnectionClosed:
            return None, str(socket.close_code)


async def board_by_stream(server: Server, user: User | None, board: str) -> Listed:
    async with source(server, f"/api/orders/stream?topic={board}", user) as found:
        if found.status != 200:
            body = json.loads(await found.reader.readexactly(int(found.headers["content-length"])))
            return None, body["error"]["code"]
        synced = await found.until("synced")
        return listed([event.frame for event in found.events], synced["orders"])


async def board_by_poll(server: Server, user: User | None, board: str) -> Listed:
    body = json.dumps({"type": "subscribe", "id": "a", "topic": board}).encode()
    answer = await ask(server, "/api/orders/sync", user, method="POST", body=body, headers=WRITES)
    found = answer.json()
    return listed(found["orders"], found["synced"]) if answer.status == 200 else (None, found["error"]["code"])


async def list_by_api(server: Server, user: User | None, board: str) -> Listed:
    answer = await ask(server, f"/api/orders?board={board}&limit=200", user)
    found = answer.json()
    if answer.status != 200:
        return None, found["error"]["code"]
    return listed(found["orders"], [str(frame["order_id"]) for frame in found["orders"]])


def listed(frames: list[dict[str, Any]], members: Collection[str]) -> Listed:
    """Return what is masked in each member, and that nothing else came."""
    states = {str(frame["order_id"]): frame for frame in frames if frame["type"] == "order.update"}
    assert set(states) == set(members), f"{set(states)} came, {set(members)} are listed"
    return {key: seen(json.dumps(frame))[0] or frozenset() for key, frame in states.items()}, ""


BOARD_DOORS: dict[str, tuple[Callable[[Server, User | None, str], Awaitable[Listed]], str, str]] = {
    "sync": (board_by_sync, rights.BOARDS, "4401"),
    "stream": (board_by_stream, rights.BOARDS, "not_authenticated"),
    "poll": (board_by_poll, rights.BOARDS, "not_authenticated"),
    "api": (list_by_api, rights.LISTS, "not_authenticated"),
}
"""How to look, what is there for whom, and how nobody is refused."""


class Looker:
    """A socket with one board: which orders are on it, and how each came and went since it was opened.

    ``fence`` is an order that stays on it: what was changed before that order is on the socket before that order.
    """

    def __init__(self, socket: websockets.ClientConnection, fence: str) -> None:
        self.socket, self.fence = socket, fence
        self.members: set[str] = set()
        self.moves: dict[str, list[str]] = {}
        self.message = ""

    async def until(self, cell: str, *, has: str = "", lacks: str = "") -> None:
        """Read until an order is there, or is not."""
        await self._read(lambda: (not has or has in self.members) and lacks not in self.members, cell)

    async def fenced(self, cell: str) -> None:
        """Read until the note of the fence was changed."""
        await self._read(lambda: self.message == "The note was changed.", cell)

    async def _read(self, is_so: Callable[[], bool], cell: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not is_so():
                    self._take(json.loads(await self.socket.recv()))
        except TimeoutError:
            pytest.fail(f"{cell}: {self.members}, {self.moves}")

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "order.update" if str(frame["order_id"]) == self.fence:
                self.message = frame["message"]
            case "synced":
                self.members = set(frame["orders"])
            case "board":
                added = [str(key) for key in frame["added"]]
                removed = [str(one["order_id"]) for one in frame["removed"]]
                self.members = (self.members | set(added)) - set(removed)
                for how, keys in (("in", added), ("out", removed)):
                    for key in keys:
                        self.moves.setdefault(key, []).append(how)
