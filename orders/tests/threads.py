"""Several people at the same moment, on a real database."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection, models, transaction

PATIENCE = 30  # seconds
racing = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no row locks")


def at_once(
    *calls: Callable[[], Any], behind: models.Model | None = None, meanwhile: Callable[[], Any] | None = None
) -> list[Any]:
    """Start all calls together, each in a thread with its own connection; return results and exceptions in order.

    With ``behind`` that row is locked until all of them stand and wait for it: who read it before without a lock
    has read something old. ``meanwhile`` is done while they wait, and committed as the row is let go.
    """
    start = Barrier(len(calls), timeout=PATIENCE)

    def run(call: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            start.wait()
            return call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        with _held(behind, until=len(calls), then=meanwhile or (lambda: None)):
            results = [pool.submit(run, call) for call in calls]
        return [result.result(PATIENCE) for result in results]


@contextmanager
def _held(row: models.Model | None, *, until: int, then: Callable[[], Any]) -> Iterator[None]:
    if row is None or connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        type(row)._base_manager.select_for_update(no_key=True).get(pk=row.pk)
        yield
        for _ in range(PATIENCE * 100):
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0] >= until:
                then()
                return
            Event().wait(0.01)
        raise TimeoutError("they do not wait for the row")
