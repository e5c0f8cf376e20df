"""No write escapes: twelve ways to write, in six modes; the events are the committed changes, whatever wrote them."""

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import pytest
from django.db import connection, connections

from realtime import relay
from realtime.models import Event
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Route, Toll

from .paths import PATHS, Keys, Path, RollBack, record, save
from .witness import Witness, assert_chained


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
        with path.atomic():
            path.write(keys, f"moved by {number}")

    at_once([partial(work, number) for number in range(4)])


def at_once(works: Sequence[Callable[[], None]]) -> None:
    """Do each in a thread of its own, all at the same time."""

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(run, work) for work in works]:
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


def leave_out(capture: str, path: Path, mode: Mode) -> None:
    """Leave out what cannot be here."""
    if connection.vendor == "sqlite" and (path.is_sql or mode.run is concurrent_writers):
        pytest.skip("SQLite has one writer, and no COPY")
    if capture == "orm" and path.is_sql:
        pytest.skip("SQL goes past the ORM")


def prepared(witness: Witness) -> Sequence[uuid.UUID]:
    witness.begin()
    keys = sorted(record() for _ in range(4))
    witness.go_on()
    return keys


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.run.__name__)
@pytest.mark.parametrize("path", PATHS, ids=str)
def test_the_events_are_the_committed_changes(capture: str, witness: Witness, path: Path, mode: Mode) -> None:
    leave_out(capture, path, mode)
    keys = prepared(witness)
    made = witness.changes(apart=mode.apart)
    mode.run(path, keys)
    changed = witness.changes(apart=mode.apart) - made
    assert changed >= mode.writes if mode.writes else changed == 0, "the path does what it says"
    witness.assert_agrees(apart=mode.apart)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer")
def test_writers_of_a_record_and_of_its_parts_share_one_row_of_versions(capture: str, witness: Witness) -> None:
    """They lock different rows: the delivery, its route, its tolls. Only the stream's lock is common."""
    key, times = prepared(witness)[0], 15

    def move() -> None:
        for number in range(times):
            save([key], f"stop {number}")

    def reroute() -> None:
        route = Route.objects.get(delivery=key)
        for number in range(times):
            route.town = f"town {number}"
            route.save()

    def pay() -> None:
        for _ in range(times):
            Toll.objects.create(delivery_id=key, amount=1)

    at_once([move, reroute, pay])
    assert relay.rest(60)
    events = list(Event.objects.filter(topic=DeliveryFeed.topic(key)).order_by("version"))
    assert_chained(events)
    wrote = Counter(name for event in events[1:] for name in event.before or {})
    assert wrote == {"status": times, "town": times, "last_toll": times}
    assert len(events) == 1 + 3 * times, "each commit is one event"
