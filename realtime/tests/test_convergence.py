"""Random histories: writers, viewers, a bad bus, trims and restores; whatever happens, the invariants hold."""

import os
from collections.abc import AsyncIterator

import pytest
from django.db import connection

from .convergence.histories import play
from .convergence.judge import Broken
from .convergence.world import Threads
from .mutants import MUTANTS, Mutant

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="two transactions are open at once"),
]

LENGTH = 40
HISTORIES, MANY = 25, 1500
FIRST = int(os.environ.get("CONVERGENCE_SEED", "0"))
"""The first seed: a failure names its seed, and ``CONVERGENCE_SEED=<seed> ./dev test …`` begins with it."""


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    found = Threads()
    await found.begin()
    yield found
    found.end()


async def test_whatever_happens_the_invariants_hold(threads: Threads) -> None:
    for seed in range(FIRST, FIRST + HISTORIES):
        await play(seed, LENGTH, threads)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_whatever_happens_the_invariants_hold_in_many_histories(threads: Threads) -> None:
    for seed in range(FIRST + HISTORIES, FIRST + HISTORIES + MANY):
        await play(seed, LENGTH, threads)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.__name__ for mutant in MUTANTS])
async def test_histories_break_the_mutant(threads: Threads, mutant: Mutant) -> None:
    with mutant():
        for seed in range(2 * HISTORIES):
            try:
                await play(seed, LENGTH, threads)
            except Broken as broken:
                print(f"broken by seed {seed}: {broken}")
                return
    pytest.fail(f"{mutant.__name__} survived {2 * HISTORIES} histories: they do not test it")
