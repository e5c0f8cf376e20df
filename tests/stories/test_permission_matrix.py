"""Who × which order or board × which door: as ``tests/rights.py`` says by hand, or refused with the same bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from decimal import Decimal
from functools import partial
from itertools import product
from typing import Any

import pytest
import websockets
from asgiref.sync import sync_to_async

from accounts.models import User
from orders.models import BaseOrder, Status
from orders.services import order_claim, order_drop, order_finish, order_release, order_write_note
from tests import rights
from tests.people import Cast, cast, order_of
from tests.server import PATIENCE, Server, session_of
from tests.streams import ask, source

ODD = {"negative": "-1", "a float": "1e3", "too large": str(2**63), "Arabic digits": "%D9%A3"}
THERE = ("own", "other", "unassigned", "chosen", "finished")
TARGETS = (*THERE, "deleted", "missing", *ODD)
SEES = {
    "nobody": {},
    "client": {"own": "client", "finished": "client"},
    "booster": {"own": "booster", "finished": "booster", "unassigned": "prospect"},
    "manager": dict.fromkeys(THERE, "manager"),
    "admin": dict.fromkeys(THERE, "admin"),
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
        "chosen": order_of(people.other_client, booster=people.other_booster).pk,
        "finished": finished.pk,
        "deleted": deleted.pk,
        "missing": 987654321,
    }
    deleted.delete()
    return {name: str(key) for name, key in found.items()} | ODD


@pytest.mark.parametrize("door", DOORS)
async def test_who_sees_what_through_which_door(standing_server: Server, door: str) -> None:
    people = await sync_to_async(cast)()
    keys, hidden = await sync_to_async(orders)(people), rights.masked()
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


TOKEN = "x" * 32
WRITES = {"Cookie": f"csrftoken={TOKEN}", "X-CSRFToken": TOKEN, "Content-Type": "application/json"}
BOARD_DOORS: dict[str, tuple[Callable[[Server, User | None, str], Awaitable[Listed]], str, str]] = {
    "sync": (board_by_sync, rights.BOARDS, "4401"),
    "stream": (board_by_stream, rights.BOARDS, "not_authenticated"),
    "poll": (board_by_poll, rights.BOARDS, "not_authenticated"),
    "api": (list_by_api, rights.LISTS, "not_authenticated"),
}
"""How to look, what is there for whom, and how nobody is refused."""


def listed(frames: list[dict[str, Any]], members: Collection[str]) -> Listed:
    """Return what is masked in each member, and that nothing else came."""
    states = {str(frame["order_id"]): frame for frame in frames if frame["type"] == "order.update"}
    assert set(states) == set(members), f"{set(states)} came, {set(members)} are listed"
    return {key: seen(json.dumps(frame))[0] or frozenset() for key, frame in states.items()}, ""


@pytest.mark.parametrize("door", BOARD_DOORS)
async def test_who_has_which_board_and_what_is_on_it(standing_server: Server, door: str) -> None:
    people = await sync_to_async(cast)()
    keys, hidden = await sync_to_async(orders)(people), rights.masked()
    look, text, nobody = BOARD_DOORS[door]
    for board, cells in rights.boards(text, frozenset(THERE)).items():
        for role, wanted in cells.items():
            cell = f"{role} looks at the board {board} through {door}"
            found, refusal = await look(standing_server, None if role == "nobody" else getattr(people, role), board)
            if wanted is None:
                assert found is None, cell
                assert refusal == (nobody if role == "nobody" else "forbidden"), cell
                continue
            assert found is not None, f"{cell}: {refusal}"
            here = {target: found[keys[target]] for target in TARGETS if keys[target] in found}
            assert set(here) == wanted, cell
            assert here == {target: hidden[SEES[role][target]] for target in wanted}, cell


class Looker:
    """A socket with one board: how one order came onto it and left it."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.members: set[str] = set()
        self.moves: list[tuple[str, str]] = []
        self.versions: dict[str, int] = {}

    async def step(self) -> None:
        frame = json.loads(await self.socket.recv())
        match frame["type"]:
            case "order.update":
                self.versions[str(frame["order_id"])] = frame["version"]
            case "synced":
                self.members = set(frame["orders"])
            case "board":
                added = {str(key) for key in frame["added"]}
                removed = {str(one["order_id"]) for one in frame["removed"]}
                self.members = (self.members | added) - removed
                self.moves += [*((key, "in") for key in added), *((key, "out") for key in removed)]

    async def until(self, is_so: Callable[[], bool], cell: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not is_so():
                    await self.step()
        except TimeoutError:
            pytest.fail(f"{cell}: {self.members}, {self.moves}")


async def test_an_order_comes_onto_the_boards_it_is_for_and_leaves_them(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    keys = await sync_to_async(orders)(people)
    table = rights.read(rights.COMES)
    fences = {"mine": {"other_client": "other", "other_booster": "other"}, "available": {}, "all": {}}
    async with AsyncExitStack() as stack:
        lookers: dict[str, tuple[Looker, str]] = {}
        for row in table:
            board, who = row.split()
            socket = await stack.enter_async_context(
                subscribed(standing_server, getattr(people, who), f"orders:{board}")
            )
            fence = keys[fences[board].get(who, "unassigned" if board == "available" else "own")]
            lookers[row] = (looker := Looker(socket)), fence
            await looker.until(lambda looker=looker, fence=fence: fence in looker.members, f"{row} has its fence")
        placed = await sync_to_async(order_of)(people.client)
        key = str(placed.pk)
        steps: dict[str, Callable[[], object]] = {
            "placed": lambda: None,
            "claimed": lambda: order_claim(order_id=placed.pk, booster=people.booster),
            "released": lambda: order_release(order_id=placed.pk, by=people.booster),
            "dropped": lambda: order_drop(order_id=placed.pk, by=people.client),
        }
        for step, act in steps.items():
            await sync_to_async(act)()
            for row, (looker, _) in lookers.items():
                is_in = table[row][step] == "in"
                await looker.until(
                    lambda looker=looker, is_in=is_in: (key in looker.members) == is_in, f"{row}, {step}"
                )
        before = {row: looker.versions[fence] for row, (looker, fence) in lookers.items()}
        for target, client in (
            ("own", people.client),
            ("other", people.other_client),
            ("unassigned", people.other_client),
        ):
            await sync_to_async(order_write_note)(order_id=int(keys[target]), note="Mornings.", by=client)
        for row, (looker, fence) in lookers.items():
            await looker.until(lambda looker=looker, fence=fence, row=row: looker.versions[fence] > before[row], row)
            wanted, held = [], "out"
            for now in table[row].values():
                wanted += [now] if now != held else []
                held = now
            assert [how for which, how in looker.moves if which == key] == wanted, row
