"""What a test has instead of a commit: a test case rolls back, and capture and on-commit work wait for a commit."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from asgiref.sync import SyncToAsync
from django.db import connections

from .. import conf
from ..capture.base import by_triggers
from ..capture.functions import PREFIX


def capture_at_once(using: str = "") -> None:
    """Have every statement of the open transaction write its events when it ends, not at COMMIT.

    For ``TestCase`` and pytest's ``db``, whose transactions never commit; it ends with the transaction. The events
    of a transaction stay one a topic: a later statement rewrites it. Does nothing where the ORM captures.
    """
    alias = using or conf.current().database
    if by_triggers(alias):
        with connections[alias].cursor() as cursor:
            cursor.execute(f"SET CONSTRAINTS {PREFIX}_flush IMMEDIATE")


@contextmanager
def committed(using: str = "") -> Iterator[list[Callable[..., Any]]]:
    """What the block writes is captured, and its on-commit work is done at its end: as if it had committed.

    For ``TestCase`` and pytest's ``db``. Yields the list that ``TestCase.captureOnCommitCallbacks(execute=True)``
    yields. Each block is a transaction of its own for the log: what is written after it is the next version.
    """
    from django.test import TestCase

    alias = using or conf.current().database
    capture_at_once(alias)
    with TestCase.captureOnCommitCallbacks(using=alias, execute=True) as callbacks:
        yield callbacks
        _close_transaction(alias)


def _close_transaction(alias: str) -> None:
    """Take the mark off the streams, so that what follows in the same transaction rewrites none of their events."""
    from ..models import Stream

    Stream.objects.using(alias).exclude(transaction="").update(transaction="")


def quiet(timeout: float = 30.0) -> None:
    """Wait until nothing of ``realtime`` works in the background any more, and other threads' connections are closed.

    Before tables are emptied or the test database is dropped: ``addClassCleanup(quiet)`` in a ``TransactionTestCase``.
    The pytest plugin does it by itself. The next write starts the relay again.
    """
    from .. import relay

    assert relay.rest(timeout), f"the relay did not come to rest within {timeout:g} s"
    relay.stop()
    # Where sync_to_async runs what an async test writes, unless Django runs the test.
    SyncToAsync.single_thread_executor.submit(connections.close_all).result(timeout)
    for thread in threading.enumerate():
        if thread.name.startswith("realtime-reader"):
            thread.join(2.0)  # a hub that has ended has asked it to; one that has not keeps it
