"""Writers in threads of their own, which leave no connection behind."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import connections


def in_a_thread(work: Callable[[], None]) -> None:
    """Run ``work`` in a new thread, and wait for it."""
    at_once([work])


def at_once(works: Sequence[Callable[[], None]]) -> None:
    """Run each of ``works`` in a thread of its own, all at the same time; raise what the first of them raised."""

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(run, work) for work in works]:
            done.result()
