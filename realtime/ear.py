"""A hub's ear on the bus: takes only what is signed and of this database, and knows whether it hears at all."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from django.db import Error as DatabaseError

from . import brokers, conf, log, metrics
from .brokers.base import Hinted
from .exceptions import BrokerError, ForgedMessage
from .protocol.codec import Beat, Hints, Suspects, seal, unseal
from .protocol.frames import Update
from .reader import Reader

logger = logging.getLogger("realtime.bus")


class Ear:
    """Listens until ended, starts again when the bus was lost, and says so."""

    SILENT_BEATS = 3
    """Own nonces in a row that may stay unheard before the subscriptions are made afresh."""

    def __init__(
        self,
        deliver: Callable[[Update], None],
        hinted: Hinted,
        confirmed: Callable[[], None],
        rotated: Callable[[], None],
        suspect: Callable[[str], None],
    ) -> None:
        self._deliver, self._hinted, self._on_confirmed, self._on_rotated = deliver, hinted, confirmed, rotated
        self._suspect = suspect
        self._nonce = secrets.token_hex(8)
        self._beats = self._unheard = 0
        self._epoch = ""
        self._confirmed = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._followed: set[str] = set()
        self._errands: set[asyncio.Task[None]] = set()

    async def listen(self, reader: Reader) -> None:
        """Listen, and start again after a loss, until cancelled."""
        await self._learn_epoch(reader)
        while True:
            listening = self._listening = asyncio.create_task(brokers.current().listen(self._heard, self._hinted))
            confirming = asyncio.create_task(self._confirm())
            try:
                await listening
            except BrokerError as error:
                logger.warning("the bus is lost, repair serves meanwhile: %s", error)
            except asyncio.CancelledError:
                if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                    raise
            finally:
                listening.cancel()  # our own: an ear that was started again meanwhile has another
                confirming.cancel()
            metrics.bus_alive.set(0)
            metrics.failures.labels("bus").inc()
            await asyncio.sleep(conf.current().repair_seconds)

    async def _confirm(self) -> None:
        """Send nonces until one is heard: the layer does not say when a subscription stands. Then follow again.

        What was published before that may have been missed, so the hub is told to look at the database.
        """
        self._confirmed.clear()
        while not self._confirmed.is_set():
            with suppress(BrokerError):
                await self._beat(brokers.base.GROUPS - 1)
            await asyncio.sleep(0.02)
        self._on_confirmed()
        for topic in list(self._followed):
            self._errand(self._follow(topic))

    async def _beat(self, group: int) -> None:
        await brokers.current().publish(group, seal(Beat(self._nonce), brokers.key()))

    async def prove(self, reader: Reader) -> None:
        """Send a nonce; when several in a row were not heard, subscribe afresh."""
        await self._learn_epoch(reader)
        if not self._confirmed.is_set():
            return
        self._beats += 1
        self._unheard += 1
        with suppress(BrokerError):
            await self._beat(self._beats % brokers.base.GROUPS)
        if self._unheard > self.SILENT_BEATS and self._listening is not None:
            self._unheard = 0
            logger.warning("the bus does not carry our own nonce: subscribing afresh")
            self._listening.cancel()

    async def _learn_epoch(self, reader: Reader) -> None:
        """Take hints of the database's epoch only; another one than before is another history, and the hub is told."""
        with suppress(DatabaseError):
            before, self._epoch = self._epoch, await reader.call(log.epoch)
            if before not in ("", self._epoch):
                logger.warning("the epoch was rotated: every socket starts afresh")
                self._on_rotated()

    def _heard(self, body: str) -> None:
        try:
            message = unseal(body, *brokers.keys())
        except ForgedMessage:
            metrics.heard.labels("forged").inc()
            return
        match message:
            case Beat(nonce=nonce):
                if nonce == self._nonce:
                    self._unheard = 0
                    self._confirmed.set()
                    metrics.bus_alive.set(1)
            case Hints(epoch=epoch, updates=updates) if epoch == self._epoch:
                metrics.heard.labels("hints").inc()
                for update in updates:
                    self._deliver(update)
            case Suspects(accounts=accounts):
                metrics.heard.labels("suspects").inc()
                for account in accounts:
                    self._suspect(account)
            case Hints():
                metrics.heard.labels("other epoch").inc()

    def follow(self, topic: str) -> None:
        """Take foreign hints for ``topic``, as soon as the bus allows."""
        if conf.current().hint_groups and topic not in self._followed:
            self._followed.add(topic)
            if self._confirmed.is_set():
                self._errand(self._follow(topic))

    def unfollow(self, topic: str) -> None:
        if topic in self._followed:
            self._followed.discard(topic)
            self._errand(self._unfollow(topic))

    async def _follow(self, topic: str) -> None:
        name, _, key = topic.partition(".")
        with suppress(BrokerError):
            await brokers.current().follow(name, key)

    async def _unfollow(self, topic: str) -> None:
        name, _, key = topic.partition(".")
        with suppress(BrokerError):
            await brokers.current().unfollow(name, key)

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    def end(self) -> None:
        """Forget what was heard; ``listen`` is cancelled by its owner."""
        for errand in self._errands:
            errand.cancel()
        self._nonce = secrets.token_hex(8)  # what is still on its way proves nothing about the next start
        self._confirmed.clear()
        self._followed.clear()
        self._epoch = ""
        self._unheard = 0
