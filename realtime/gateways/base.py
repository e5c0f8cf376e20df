"""What every gateway does with a socket of the sync dialect (PROTOCOL §3): hear the client, ask the hub, answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from django.db import Error as DatabaseError
from django.utils import timezone
from msgspec import UNSET, UnsetType

from .. import conf, metrics
from ..capture.base import plain
from ..feeds import Feed, Viewer
from ..hub import Hub
from ..identity import Claim
from ..member import Sink
from ..protocol import messages
from ..protocol.closing import Close
from ..protocol.messages import (
    Auth,
    BadFrame,
    Error,
    NotAFrame,
    Ping,
    Pong,
    Refusal,
    Subscribe,
    TooBig,
    Unsubscribe,
    User,
    Welcome,
)
from ..protocol.subscriptions import Record
from ..speaker import Speaker
from ..tasks import failed
from .opening import Opening, board_asked

logger = logging.getLogger("realtime.dialect")


class Dialect:
    """One socket of the sync dialect. Reads of the database run beside what the client says next."""

    def __init__(self, feed: type[Feed], viewer: Viewer, sink: Sink, claim: Claim | None = None) -> None:
        self.hub = Hub.current()
        self.speaker = Speaker(viewer, sink, feed, claim)
        self._opening: dict[str, asyncio.Task[None]] = {}

    async def begin(self, key: Any = None) -> None:
        """Say welcome; with ``key``, that record is subscribed already, under the feed's name."""
        feed, settings = self.speaker.feed, conf.current()
        reader = self.hub.start()
        self.hub.enrol(self.speaker)
        try:
            epoch = await reader.epoch()
        except DatabaseError as error:
            failed("welcome", error)
            self.speaker.end(Close.INTERNAL)
            return
        viewer = self.speaker.viewer
        user = User(viewer.id if isinstance(viewer.id, int | None) else str(viewer.id), viewer.role)
        limits = {
            "records": settings.records_at_most,
            "boards": settings.boards_at_most,
            "frame_bytes": settings.frame_bytes,
            "subscribe_bytes": settings.subscribe_bytes,
            "have": messages.HELD_AT_MOST,
        }
        beat = round(settings.heartbeat_seconds * 1000)
        self.speaker.say(Welcome(1, epoch, plain(timezone.now()), beat, limits, user))
        if key is not None:
            self._subscribe(Subscribe(feed.name, f"{feed.name}:{key}"))

    def heard(self, text: str, size: int) -> bool:
        """Take a frame of the client, of ``size`` bytes; return whether it was one of the protocol's. Never waits."""
        if self.speaker.is_ending:
            return True
        try:
            said = messages.heard(text, is_long=size > conf.current().frame_bytes)
        except NotAFrame:
            self.end(Close.PROTOCOL_ERROR)
            return False
        except TooBig:
            self.end(Close.TOO_BIG)
            return False
        except BadFrame as error:
            self._refuse("bad_frame", str(error), error.id)
            return False
        match said:
            case Ping(n=n):
                self.speaker.say(Pong(n))
            case Subscribe():
                self._subscribe(said)
            case Unsubscribe():
                self._unsubscribe(said.id)
            case Auth():
                self.hub.tasks.spawn(self._authenticate(said.ticket))
        return said is not None

    async def _authenticate(self, ticket: str) -> None:
        """Rest on the session of ``ticket`` from now on, when it is the same person's; otherwise end."""
        speaker, reader = self.speaker, self.hub.start()
        try:
            claim = await reader.redeem(ticket)
            user = (await reader.accounts([claim])).get(claim) if claim else None
        except DatabaseError as error:
            failed("ticket", error)
            self._refuse("unavailable", "this cannot be read now: take another ticket, and try again")
            return
        if user is None or speaker.feed.viewer(user) != speaker.viewer:
            self.hub.leave(speaker)
            speaker.end_at_once(Close.NOT_AUTHENTICATED)
        else:
            speaker.claim = claim

    def end(self, code: Close) -> None:
        """Say goodbye behind what waits, and close with ``code``."""
        self.speaker.end(code)

    def leave(self) -> None:
        """Forget the socket: its client has left."""
        for task in self._opening.values():
            task.cancel()
        self.hub.leave(self.speaker)
        self.speaker.gone()

    def _subscribe(self, said: Subscribe) -> None:
        subscriptions, settings = self.speaker.subscriptions, conf.current()
        board = subscriptions.words.board(said.topic)
        if said.id in subscriptions or said.id in self._opening:
            self._refuse("duplicate_id", "this id is in use: unsubscribe it first, or choose another", said.id)
        elif board is not None and len(subscriptions.boards) >= settings.boards_at_most:
            self._refuse("limit", f"a socket has {settings.boards_at_most} boards at most", said.id)
        elif board is None and len(subscriptions.records) >= settings.records_at_most:
            self._refuse("limit", f"a socket has {settings.records_at_most} records at most", said.id)
        elif board is not None:
            self._subscribe_board(said, board)
        elif (topic := subscriptions.words.topic(said.topic)) is not None:
            self._subscribe_record(said, topic)
        else:
            words = subscriptions.words
            known = ", ".join(f"{words.plural}:{name}" for name in self.speaker.feed.boards)
            self._refuse("unknown_topic", f"there are {words.name}:<key> and {known}", said.id)

    def _subscribe_record(self, said: Subscribe, topic: str) -> None:
        record = Record(said.id, topic, said.mode == "all")
        self.speaker.subscriptions.add_record(record)
        self._open(said.id, partial(Opening(self.hub, self.speaker, said).record, record))

    def _subscribe_board(self, said: Subscribe, name: str) -> None:
        board = board_asked(self.speaker, said, name)
        if isinstance(board, Error):
            self.speaker.say(board)
            return
        self.speaker.subscriptions.add_board(board)
        self._open(said.id, partial(Opening(self.hub, self.speaker, said).board, board))

    def _open(self, chosen: str, work: Callable[[], Awaitable[Error | None]]) -> None:
        self._opening[chosen] = self.hub.tasks.spawn(self._opened(chosen, work, time.monotonic()))

    async def _opened(self, chosen: str, work: Callable[[], Awaitable[Error | None]], started: float) -> None:
        try:
            refusal = await work()
            await self._refused(chosen, refusal, started)
        except DatabaseError as error:
            failed("topic", error)
            await self._refused(chosen, Error("unavailable", "this cannot be read now", True, chosen, 1000), started)
        except Exception:
            logger.exception("a topic could not be opened")
            self.end(Close.INTERNAL)
        finally:
            if self._opening.get(chosen) is asyncio.current_task():
                del self._opening[chosen]

    async def _refused(self, chosen: str, refusal: Error | None, started: float) -> None:
        """Say why a topic is not opened; missing and forbidden look alike in time too (I20)."""
        if refusal is not None:
            self._end_topic(chosen)
            await asyncio.sleep(max(0.0, started + conf.current().refusal_seconds - time.monotonic()))
            metrics.topics_refused.labels(refusal.code).inc()
            self.speaker.say(refusal)

    def _unsubscribe(self, chosen: str) -> None:
        if chosen not in self.speaker.subscriptions:
            self._refuse("unknown_id", "nothing is subscribed under this id", chosen)
            return
        if task := self._opening.pop(chosen, None):
            task.cancel()
        self._end_topic(chosen)

    def _end_topic(self, chosen: str) -> None:
        subscriptions = self.speaker.subscriptions
        if board := subscriptions.boards.get(chosen):
            self.hub.listings.discard(board)
        for topic in subscriptions.remove(chosen):
            self.hub.unwatch(self.speaker, topic)

    def _refuse(self, code: Refusal, message: str, chosen: str | UnsetType = UNSET) -> None:
        metrics.topics_refused.labels(code).inc()
        self.speaker.say(Error(code, message, False, chosen))
