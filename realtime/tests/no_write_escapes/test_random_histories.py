"""Random writes by random paths, in random transactions and savepoints of which some are rolled back."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .paths import PATHS, Path, RollBack, record
from .witness import Witness

pytestmark = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite names no transaction to the witness")

RECORDS = 3
FOREIGN = {"COPY"}
"""Commits by itself: it cannot be a part of Django's transaction."""


@dataclass(frozen=True)
class Write:
    path: Path
    records: frozenset[int]
    status: str


@dataclass(frozen=True)
class Block:
    """A transaction; inside another one, a savepoint."""

    steps: "Sequence[Write | Block]"
    fails: bool


def histories(paths: Sequence[Path]) -> "st.SearchStrategy[list[Write | Block]]":
    """Return lists of writes and blocks; few statuses, so that states come back to where they were."""
    records = st.frozensets(st.integers(0, RECORDS - 1), min_size=1)
    write = st.builds(Write, st.sampled_from(paths), records, st.sampled_from(["waiting", "packed", "moving"]))
    step = st.recursive(
        write, lambda inner: st.builds(Block, st.lists(inner, min_size=1, max_size=4), st.booleans()), max_leaves=8
    )
    return st.lists(step, min_size=1, max_size=6)


def perform(step: Write | Block, keys: Sequence[uuid.UUID]) -> None:
    match step:
        case Write(path=path, records=records, status=status):
            path.write([keys[number] for number in sorted(records)], status)
        case Block(steps=steps, fails=fails):
            with suppress(RollBack), transaction.atomic():
                for inner in steps:
                    perform(inner, keys)
                if fails:
                    raise RollBack


def seen(capture: str) -> list[Path]:
    """Return the paths that this capture sees."""
    return [path for path in PATHS if path.name not in FOREIGN and (capture == "triggers" or path.is_signalled)]


def check(witness: Witness, capture: str, data: st.DataObject) -> None:
    history = data.draw(histories(seen(capture)))
    witness.begin()
    keys = sorted(record() for _ in range(RECORDS))
    for step in history:
        perform(step, keys)
    witness.assert_agrees(apart=True)


bounded = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


@settings(bounded, max_examples=25)
@given(data=st.data())
def test_events_are_the_committed_states(witness: Witness, capture: str, data: st.DataObject) -> None:
    check(witness, capture, data)


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(bounded, max_examples=1000)
@given(data=st.data())
def test_events_are_the_committed_states_a_thousand_times(witness: Witness, capture: str, data: st.DataObject) -> None:
    check(witness, capture, data)
