"""Sweep, settle what was committed, and publish it: after the commit, outside the writer, from the database.

A background thread of each process that writes or serves. It starts with the first wake, starts again after a fork,
and is given time at exit. Nothing kept in memory is trusted: a lost wake costs a second, a killed process nothing.
"""

import asyncio
import atexit
import logging
import os
import socket
import threading
import time
from collections import deque
from typing import Any

from django.db import Error as DatabaseError
from django.db import connections

from . import brokers, conf, log, metrics, sweep
from .exceptions import BrokerError
from .protocol.codec import Hints, Suspects, seal
from .protocol.frames import Update

logger = logging.getLogger("realtime.relay")


class _Loop(asyncio.SelectorEventLoop):
    """The relay's own loop. Resolves names in place: at interpreter exit no executor takes work any more."""

    async def getaddrinfo(self, host: Any, port: Any, **kwargs: Any) -> Any:
        return socket.getaddrinfo(host, port, **kwargs)


class Relay:
    """One background thread that settles and publishes when it is woken."""

    FOREIGN_AT_MOST = 1000
    """Foreign hints that wait to be published; the oldest give way, since each only says "look again"."""

    APART = 0.005
    """Seconds between the beginnings of two rounds: many commits are settled in handfuls, a single one at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = threading.Event()
        self._serving = 0
        self._woken = False
        self._resting = threading.Event()
        self._resting.set()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._foreign: deque[tuple[str, str, str]] = deque(maxlen=self.FOREIGN_AT_MOST)
        self._suspects: deque[str] = deque(maxlen=self.FOREIGN_AT_MOST)
        self._mute_until = 0.0

    def wake(self) -> None:
        """Have the committed events settled and published soon. Never waits and never fails."""
        with self._lock:
            self._resting.clear()
            self._woken = True
        self._turn.set()
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def hint(self, feed_name: str, key: Any, message: str) -> None:
        """Publish to the layer's group ``<feed>_<key>`` that the record may have changed."""
        self._foreign.append((feed_name, str(key), message))
        self.wake()

    def suspect(self, account: str) -> None:
        """Have every process with sockets ask who stands behind those of ``account``, its key's text; with a wake."""
        self._suspects.append(account)

    def serve(self) -> None:
        """Look for others' events every ``poll_seconds`` from now on, until ``unserve``."""
        self._serving += 1
        self.wake()

    def unserve(self) -> None:
        self._serving -= 1

    def _start(self) -> None:
        with self._lock:
            if self._ending or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name="realtime-relay", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is ending; another process or a later start settles
                self._thread = None

    def rest(self, timeout: float) -> bool:
        """Wait until every wake so far has been answered; ``False`` when that takes longer than ``timeout`` seconds."""
        return self._resting.wait(timeout)

    def end(self) -> None:
        """Settle and publish what is left, within ``flush_seconds``; then the thread is gone."""
        thread = self._thread
        self._ending = True
        self._turn.set()
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(conf.current().flush_seconds)

    def stop(self) -> None:
        """End, and let the next wake start again: its connection is closed in between."""
        self.end()
        self._ending = False

    def forget(self) -> None:
        """Start afresh: threads do not survive a fork."""
        self.__init__()  # type: ignore[misc]

    def _run(self) -> None:
        loop = _Loop()
        began = -self.APART
        try:
            while True:
                called = self._turn.wait(conf.current().poll_seconds if self._serving else None)
                self._turn.clear()
                if self._woken or not called:
                    time.sleep(max(0.0, began + self.APART - time.monotonic()))
                    began = time.monotonic()
                    self._woken = False
                    self._round_that_ends(loop)
                if self._rests() and self._ending:
                    return
        finally:
            connections.close_all()
            loop.close()

    def _round_that_ends(self, loop: asyncio.AbstractEventLoop) -> None:
        """Whatever goes wrong is said, and the next wake tries again: the thread lives as long as the process."""
        try:
            self._round(loop)
        except Exception:
            metrics.failures.labels("relay").inc()
            logger.exception("a round of the relay failed, tried again with the next wake")

    def _rests(self) -> bool:
        with self._lock:
            if not self._woken:
                self._resting.set()
            return not self._woken

    def _round(self, loop: asyncio.AbstractEventLoop) -> None:
        self._settle_and_publish(loop)
        if self._sweep():
            self._settle_and_publish(loop)

    def _settle_and_publish(self, loop: asyncio.AbstractEventLoop) -> None:
        limit = conf.current().settle_batch
        while True:
            epoch, updates = self._settle(limit)
            metrics.settled.inc(len(updates))
            self._publish(loop, epoch, updates)
            if len(updates) < limit:
                return

    def _sweep(self) -> int:
        """Return how many events related rows have made."""
        try:
            return log.on_live_connection(sweep.sweep)
        except DatabaseError as error:
            metrics.failures.labels("sweep").inc()
            logger.warning("related rows are told with the next wake: %s", error)
            return 1  # those of the batches before

    def _settle(self, limit: int) -> tuple[str, list[Update]]:
        try:
            return log.on_live_connection(lambda: log.settle(limit=limit))
        except DatabaseError as error:
            metrics.failures.labels("relay").inc()
            logger.warning("not settled now, tried again with the next wake: %s", error)
            return "", []

    def _publish(self, loop: asyncio.AbstractEventLoop, epoch: str, updates: list[Update]) -> None:
        """Hand ``updates`` and foreign hints to the broker; what it does not take, repair finds."""
        if not updates and not self._foreign and not self._suspects:
            return
        if time.monotonic() < self._mute_until:
            metrics.published.labels("deferred").inc(len(updates))
            self._foreign.clear()
            self._suspects.clear()
            return
        groups: dict[int, list[Update]] = {}
        for update in updates:
            groups.setdefault(brokers.group_of(update.topic), []).append(update)
        broker = brokers.current()
        try:
            if self._suspects:
                body = seal(Suspects([self._suspects.popleft() for _ in range(len(self._suspects))]), brokers.key())
                loop.run_until_complete(broker.publish(0, body))
            for group, members in groups.items():
                body = seal(Hints(epoch, members), brokers.key())
                loop.run_until_complete(broker.publish(group, body))
                metrics.published.labels("sent").inc(len(members))
            while self._foreign:
                loop.run_until_complete(broker.hint(*self._foreign.popleft()))
        except BrokerError as error:
            # The writer's process has other work than to wait for a dead layer with every event.
            self._mute_until = time.monotonic() + conf.current().broker_timeout
            metrics.published.labels("deferred").inc(len(updates))
            logger.warning("the bus does not take messages, viewers are served by repair: %s", error)


_relay = Relay()
wake = _relay.wake
hint = _relay.hint
suspect = _relay.suspect
serve = _relay.serve
unserve = _relay.unserve
rest = _relay.rest
end = _relay.end
stop = _relay.stop

atexit.register(_relay.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_relay.forget)
