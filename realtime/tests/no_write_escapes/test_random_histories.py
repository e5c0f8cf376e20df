"""Random writes by random paths, in random transactions and savepoints of which some are rolled back."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from realtime.testing import capture_at_once

from .paths import PATHS, Path, RollBack, record
from .witness import NAMES_TRANSACTIONS, Witness

pytestmark = pytest.mark.skipif(not NAMES_TRANSACTIONS, reason="only PostgreSQL names transactions to the witness")

RECORDS = 2
PATHS_HERE = [path for path in PATHS if path.name != "COPY"]  # it commits by itself, outside Django's transaction


@dataclass(frozen=True)
class Write:
    path: Path
    records: frozenset[int]
    status: str


@dataclass(frozen=True)
class Block:
    """A transaction; inside another one, a savepoint. ``at_once``: the capture does not wait for its COMMIT."""

    steps: "Sequence[Write | Block]"
    fails: bool = False
    at_once: bool = False


def histories() -> "st.SearchStrategy[list[Write | Block]]":
    """Return lists of writes and blocks; two statuses, so that states come back to where they were."""
    records = st.frozensets(st.integers(0, RECORDS - 1), min_size=1)
    write = st.builds(Write, st.sampled_from(PATHS_HERE), records, st.sampled_from(["waiting", "moving"]))

    def blocks(inner: "st.SearchStrategy[Write | Block]") -> "st.SearchStrategy[Write | Block]":
        return st.builds(Block, st.lists(inner, min_size=1, max_size=4), st.booleans(), st.booleans())

    return st.lists(st.recursive(write, blocks, max_leaves=8), min_size=1, max_size=6)


def there_and_back(*, at_once: bool) -> list[Write | Block]:
    """A → B → A in one transaction, which is no event; then A → B, which is."""
    (path,) = [path for path in PATHS if path.name == "save update_fields"]
    there, back = Write(path, frozenset({0}), "moving"), Write(path, frozenset({0}), "waiting")
    return [Block([there, back], at_once=at_once), there]


def perform(step: Write | Block, keys: Sequence[uuid.UUID], capture: str) -> None:
    match step:
        case Write(path=path, records=records, status=status):
            if capture == "triggers" or not path.is_sql:
                path.write([keys[number] for number in sorted(records)], status)
        case Block():
            with suppress(RollBack), transaction.atomic():
                if step.at_once:
                    capture_at_once()
                for inner in step.steps:
                    perform(inner, keys, capture)
                if step.fails:
                    raise RollBack


def check(witness: Witness, capture: str, history: Sequence[Write | Block]) -> None:
    witness.begin()
    keys = sorted(record() for _ in range(RECORDS))
    for step in history:
        perform(step, keys, capture)
    witness.assert_agrees(apart=True)


bounded = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


@settings(bounded, max_examples=25)
@example(history=there_and_back(at_once=False))
@example(history=there_and_back(at_once=True))
@given(history=histories())
def test_events_are_the_committed_states(witness: Witness, capture: str, history: list[Write | Block]) -> None:
    check(witness, capture, history)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(bounded, max_examples=1000)
@given(history=histories())
def test_events_are_the_committed_states_a_thousand_times(
    witness: Witness, capture: str, history: list[Write | Block]
) -> None:
    check(witness, capture, history)
