"""Who × which order, board or endpoint × which door: as it is written by hand, or refused with the same bytes.

``tests/rights.py`` says who sees which order and which board, the page of permissions what an endpoint answers.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from decimal import Decimal
from itertools import pairwise, product
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from gameBoosterss.development import permissions
from orders.models import BaseOrder, Status
from orders.services import (
    order_claim,
    order_dispute,
    order_drop,
    order_finish,
    order_release,
    order_write_note,
)
from tests import rights
from tests.doors import BOARD_DOORS, DOORS, WRITES, Looker, subscribed
from tests.people import Cast, cast, order_of
from tests.permissions import table
from tests.server import Server, session_of
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


FENCES = {"mine other_client": "other", "mine other_booster": "other"}
"""Whose board does not have ``own``, or ``unassigned`` where it is the one of what is available."""


async def test_an_order_comes_onto_the_boards_it_is_for_and_leaves_them(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    keys = await sync_to_async(orders)(people)
    rows = rights.read(rights.COMES)
    async with AsyncExitStack() as stack:
        lookers: dict[str, Looker] = {}
        for row in rows:
            board, who = row.split()
            fence = keys[FENCES.get(row, "unassigned" if board == "available" else "own")]
            opened = subscribed(standing_server, getattr(people, who), f"orders:{board}")
            lookers[row] = Looker(await stack.enter_async_context(opened), fence)
            await lookers[row].until(row, has=fence)
        placed = await sync_to_async(order_of)(people.client)
        steps: dict[str, Callable[[], object]] = {
            "placed": lambda: None,
            "claimed": lambda: order_claim(order_id=placed.pk, booster=people.booster),
            "released": lambda: order_release(order_id=placed.pk, by=people.booster),
            "dropped": lambda: order_drop(order_id=placed.pk, by=people.client),
        }
        for step, act in steps.items():
            await sync_to_async(act)()
            for row, looker in lookers.items():
                key = str(placed.pk)
                await looker.until(f"{row}, {step}", **{"has" if rows[row][step] == "in" else "lacks": key})
        for target, client in (("own", "client"), ("other", "other_client"), ("unassigned", "other_client")):
            by = getattr(people, client)
            await sync_to_async(order_write_note)(order_id=int(keys[target]), note="Mornings.", by=by)
        for row, looker in lookers.items():
            await looker.fenced(row)
            assert looker.moves.get(str(placed.pk), []) == turns(rows[row].values()), row


def turns(cells: Iterable[str]) -> list[str]:
    """Return how an order moves that was out before.

    >>> turns(["in", "in", "out", "in"])
    ['in', 'out', 'in']
    """
    return [now for before, now in pairwise(["out", *cells]) if before != now]


PLACE = {"current": {"rank": "Silver", "division": 1}, "desired": {"rank": "Gold", "division": 2}}
BODIES: dict[str, Any] = {
    "POST /api/orders/sync": {"topic": "mine"},
    "POST /api/orders/{key}/account": {"login": "carla", "password": "hunter2"},
    "POST /api/games/league-of-legends/quote": PLACE,
    "POST /api/games/league-of-legends/orders": PLACE,
}
INSIDE: dict[str, Callable[[str, User, Any], bool]] = {
    "GET /api/me": lambda who, user, found: found["id"] == user.pk,
    "GET /api/wallet": lambda who, user, found: (Decimal(found["payments"]) > 0) == (user.role == "client"),
    "GET /api/wallet/transactions": lambda who, user, found: whose(user, found["transactions"]),
    "GET /api/orders/{key}/transactions": lambda who, user, found: whose(user, found),
    "GET /api/orders/{key}/disputes": lambda who, user, found: {
        "prospect": not found,
        "booster": [one["reason"] for one in found] == [None],
    }.get(who, [one["reason"] for one in found] == ["nothing was played"]),
    "GET /api/orders/{key}/account": lambda who, user, found: who == "client" or not found["readings"],
}
"""What an answer that differs from one person to the next must be like."""


def whose(user: User, rows: list[dict[str, Any]]) -> bool:
    """Return whether staff sees rows of others, and everybody else only his own."""
    others = [row for row in rows if row["user_id"] != user.pk]
    return bool(others) if user.role in ("manager", "admin") else not others


class Asked:
    """The endpoints of the page, asked by each of its audiences."""

    def __init__(self, server: Server, people: Cast) -> None:
        self.server = server
        order_dispute(order_id=people.order.pk, by=people.client, reason="nothing was played")
        free = order_claim(order_id=order_of(people.other_client).pk, booster=people.booster)
        order_dispute(order_id=free.pk, by=people.manager, reason="nothing was played")
        order_release(order_id=free.pk, by=people.manager)
        self.own, self.free = str(people.order.pk), str(free.pk)
        self.users: dict[str, User | None] = {
            "nobody": None,
            "client": people.client,
            "booster": people.booster,
            "prospect": people.other_booster,
            "another booster": people.other_booster,
            "another client": people.other_client,
            "manager": people.manager,
            "admin": people.admin,
        }
        self.sessions = {who: session_of(user) if user else "" for who, user in self.users.items()}

    async def answer(self, endpoint: str, who: str, key: str = "") -> tuple[int, bytes]:
        """Return status and body; of a stream that begins, no body."""
        method, path = endpoint.split()
        path = path.replace("{key}", key or (self.free if who == "prospect" else self.own))
        if path.endswith("/stream"):
            async with source(self.server, f"{path}?topic=mine", self.users[who]) as found:
                is_open = found.status == 200
                size = 0 if is_open else int(found.headers["content-length"])
                return found.status, await found.reader.readexactly(size)
        more: dict[str, Any] = {"session": self.sessions[who]}
        if method == "POST":
            body = json.dumps(BODIES.get(endpoint, {})).encode()
            more |= {"method": method, "body": body, "headers": {**WRITES, "Idempotency-Key": "one"}}
        reply = await ask(self.server, path, **more)
        return reply.status, reply.body


async def test_each_endpoint_answers_each_as_the_page_says(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    asked = await sync_to_async(Asked)(standing_server, people)
    wrong = []
    for endpoint, cells in table("Endpoints").items():
        for who in permissions.AUDIENCES:
            status, body = await asked.answer(endpoint, who)
            user, is_right = asked.users[who], str(status) == cells[who]
            if status == 200 and endpoint in INSIDE and user is not None:
                is_right &= INSIDE[endpoint](who, user, json.loads(body))
            if status == 404 and "{key}" in endpoint:
                is_right &= (status, body) == await asked.answer(endpoint, who, "987654321")
            if not is_right:
                wrong.append(f"{endpoint} for {who}: {status} {body[:200]!r}")
    assert not wrong, "\n".join(wrong)


async def test_nobody_does_a_verb(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    asked = await sync_to_async(Asked)(standing_server, people)
    verbs = [name for name in permissions.addresses() if permissions.is_verb(name)]
    assert {name.rpartition("/")[2] for name in verbs} == set(rights.verbs())
    for verb in verbs:
        assert (await asked.answer(verb, "nobody"))[0] == 401, verb
