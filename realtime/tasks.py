"""The background work of one event loop: what runs, what runs once at a time, and what is said when it fails."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from . import metrics

logger = logging.getLogger("realtime.hub")

Work = Callable[[], Coroutine[Any, Any, None]]


class Tasks:
    """Tasks that somebody owns: kept until they end, cancelled together."""

    def __init__(self) -> None:
        self._all: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._named: dict[str, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._all.add(task)
        task.add_done_callback(self._finished)
        return task

    def once(self, name: str, work: Work) -> None:
        """Run ``work`` unless it runs already; it looks again before it ends."""
        if name not in self._named:
            self._named[name] = self.spawn(self._run(name, work))

    async def ended(self, name: str, within: float) -> bool:
        """Wait up to ``within`` seconds until the work of that name has ended; return whether it has."""
        if task := self._named.get(name):
            await asyncio.wait([task], timeout=within)
        return name not in self._named

    async def _run(self, name: str, work: Work) -> None:
        try:
            await work()
        finally:
            if self._named.get(name) is asyncio.current_task():
                del self._named[name]

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._all.discard(task)
        self._leaving.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a task of the hub ended", exc_info=task.exception())

    def cancel(self) -> None:
        """End all of them, each told once: a second cancel would break off the clean-up that the first began."""
        for task in self._all - self._leaving:
            task.cancel()
        self._leaving |= self._all
        self._named.clear()


def failed(part: str, error: Exception) -> None:
    """Say that ``part`` failed and is tried again, by us or by a client that comes back.

    One line and no traceback: when the database is away there are hundreds, and each says the same.
    """
    metrics.failures.labels(part).inc()
    logger.warning("%s failed and is tried again: %s", part, error)
