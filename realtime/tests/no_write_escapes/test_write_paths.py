"""No write escapes: twelve ways to write, in six modes; the events are the committed changes, whatever wrote them."""

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pytest
from django.db import connection, connections

from .paths import PATHS, Keys, Path, RollBack, record
from .witness import Witness

pytestmark = [pytest.mark.older]


def in_vain(path: Path, keys: Keys, status: str) -> None:
    """Write in a transaction, or in a savepoint, that is rolled back."""
    with suppress(RollBack), path.atomic():
        path.write(keys, status)
        raise RollBack


def one_row(path: Path, keys: Keys) -> None:
    path.write(keys[:1], "moved")


def many_rows(path: Path, keys: Keys) -> None:
    path.write(keys, "moved")


def inside_atomic(path: Path, keys: Keys) -> None:
    with path.atomic():
        path.write(keys, "packed")
        path.write(keys, "moved")


def rolled_back(path: Path, keys: Keys) -> None:
    in_vain(path, keys, "lost")
    with path.atomic():
        in_vain(path, keys, "lost")


def savepoints(path: Path, keys: Keys) -> None:
    with path.atomic():
        in_vain(path, keys, "lost")
        with path.atomic():
            path.write(keys, "moved")
        in_vain(path, keys, "lost again")


def concurrent_writers(path: Path, keys: Keys) -> None:
    def work(number: int) -> None:
        try:
            with path.atomic():
                path.write(keys, f"moved by {number}")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(4)]:
            done.result()


@dataclass(frozen=True)
class Mode:
    """How a path is run; ``apart``: each row in a transaction of its own."""

    run: Callable[[Path, Keys], None]
    writes: int
    """Rows that it changes at least."""
    apart: bool = False


MODES = (
    Mode(one_row, 1, apart=True),
    Mode(many_rows, 4, apart=True),
    Mode(inside_atomic, 4),
    Mode(rolled_back, 0),
    Mode(savepoints, 4),
    Mode(concurrent_writers, 4, apart=True),
)


def expectation(request: pytest.FixtureRequest, capture: str, path: Path, mode: Mode) -> None:
    """Leave out what cannot be here; mark what the ORM capture does not see, so that seeing it is noticed."""
    if connection.vendor == "sqlite" and (path.is_sql or mode.run is concurrent_writers):
        pytest.skip("SQLite has one writer, and no COPY")
    if capture == "orm" and path.is_sql:
        pytest.skip("SQL goes past the ORM")
    if capture == "orm" and not path.is_signalled and mode.writes:
        request.applymarker(pytest.mark.xfail(reason="Django sends no signal", raises=AssertionError, strict=True))


def prepared(witness: Witness) -> Sequence[uuid.UUID]:
    witness.begin()
    keys = sorted(record() for _ in range(4))
    witness.go_on()
    return keys


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.run.__name__)
@pytest.mark.parametrize("path", PATHS, ids=str)
def test_the_events_are_the_committed_changes(
    request: pytest.FixtureRequest, capture: str, witness: Witness, path: Path, mode: Mode
) -> None:
    expectation(request, capture, path, mode)
    keys = prepared(witness)
    made = witness.changes(apart=mode.apart)
    mode.run(path, keys)
    changed = witness.changes(apart=mode.apart) - made
    assert changed >= mode.writes if mode.writes else changed == 0, "the path does what it says"
    witness.assert_agrees(apart=mode.apart)
