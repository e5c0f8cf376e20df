"""What is missing and what is forbidden take the same time: 200 tries of each do not tell them apart (I20)."""

import asyncio
import math
import random
import time
from collections.abc import Sequence

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from orders.models import BaseOrder
from tests.people import cast
from tests.server import Server, session_of
from tests.stories.test_permission_matrix import DOORS
from tests.streams import ask

TRIES = 200
SURE = 1e-4
"""A right server fails once in ten thousand runs; one whose times differ by their spread does always."""


def likelihood(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the probability of ranks as far apart as these if both were the same: Mann and Whitney, 1947, two-sided.

    >>> likelihood([1, 2, 3, 4] * 10, [1, 2, 3, 4] * 10)
    1.0
    >>> likelihood(range(40), range(20, 60)) < 1e-6
    True
    """
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    values = [value for value, _ in ranked]
    ranks: dict[float, float] = {}
    for value in dict.fromkeys(values):
        first = values.index(value)
        ranks[value] = first + (values.count(value) + 1) / 2
    n, m = len(one), len(other)
    wins = sum(ranks[value] for value, which in ranked if which == 0) - n * (n + 1) / 2
    distance = abs(wins - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(distance / math.sqrt(2))


async def verb(server: Server, user: User | None, key: str) -> object:
    token = "t" * 32
    headers = {"Cookie": f"csrftoken={token}", "X-CSRFToken": token, "Content-Type": "application/json"}
    session = await sync_to_async(session_of)(user) if user else ""
    answer = await ask(server, f"/api/orders/{key}/pause", None, session=session, method="POST", headers=headers)
    assert answer.status in (404, 409), answer
    return answer


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("door", [*DOORS, "verb"])
async def test_times_of_missing_and_forbidden_are_not_told_apart(standing_server: Server, door: str) -> None:
    people = await sync_to_async(cast)()
    stranger, look = people.other_client, {**DOORS, "verb": verb}[door]
    dice = random.Random(20)
    taken: dict[str, list[float]] = {"missing": [], "forbidden": []}
    newest = await BaseOrder.objects.acount() + people.order.pk
    for _ in range(TRIES):
        for kind in dice.sample(["missing", "forbidden"], 2):
            key = people.order.pk if kind == "forbidden" else newest + dice.randrange(1000, 9000)
            began = time.perf_counter()
            await look(standing_server, stranger, str(key))
            taken[kind].append(time.perf_counter() - began)
        await asyncio.sleep(0)
    chance = likelihood(taken["missing"], taken["forbidden"])
    middle = {kind: sorted(times)[TRIES // 2] * 1000 for kind, times in taken.items()}
    assert chance > SURE, f"{door}: medians {middle} ms tell them apart (p = {chance:.1e})"
