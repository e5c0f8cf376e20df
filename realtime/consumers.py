"""The Channels end of a socket: both dialects of PROTOCOL. Works under any ASGI server."""

import asyncio
import logging
import time
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from django.db import Error as DatabaseError

from . import conf, metrics
from .credentials import claim_without_ticket, is_unambient, ticket_in
from .feeds import Feed, Viewer, feed_named
from .gateways.base import Dialect
from .hub import Hub
from .identity import Claim
from .limits import Bucket
from .member import Member
from .protocol.closing import Close
from .protocol.messages import Auth, BadFrame, NotAFrame, TooBig, goodbye, heard, spoken
from .quotas import Over, Quotas
from .refusals import RefusingConsumer
from .tasks import failed

logger = logging.getLogger("realtime.consumers")

WATCHED = 10
"""The part of ``INBOUND_BURST`` that somebody has whose offences are not forgotten yet."""

NOISE = 9
"""How many frames more a frame counts for which is none of the protocol's."""


class SyncConsumer(RefusingConsumer):
    """Sends what its viewer may see of a feed: one record in the plain dialect, or what a client of the sync dialect
    subscribes to.
    """

    feed_name = ""
    _member: Member | None = None
    _dialect: Dialect | None = None
    _nobody_yet: asyncio.TimerHandle | None = None
    _ending: asyncio.Future[None] | None = None
    _inbound: Bucket
    _feed: type[Feed]
    _speaks = False

    def __init__(self, *, feed_name: str = "") -> None:
        super().__init__()
        self.feed_name = feed_name or self.feed_name

    async def connect(self) -> None:
        """Accept, so that a browser sees the close code of a refusal, then join or refuse.

        A client of the sync dialect that shows nothing has ``auth_seconds`` to say who it is.
        """
        started = time.monotonic()
        ticket = ticket_in(self.scope)
        claim = None if ticket else claim_without_ticket(self.scope)
        over = Quotas.current().is_waiting(claim) if claim else None
        if over is not None:
            await self._deny(over)
        await self.arrive()
        self._limit(1)
        self._feed = feed_named(self.feed_name)
        protocol = f"{self._feed.name}-sync.v1"
        self._speaks = protocol in self.scope.get("subprotocols", ())
        await self.accept(protocol if self._speaks else None)
        if Quotas.current().is_crowded():
            await self._end(Close.OVERLOADED)
            return
        if not ticket and claim is None and self._speaks and not is_unambient(self.scope):
            self._nobody_yet = asyncio.get_running_loop().call_later(conf.current().auth_seconds, self._nobody_came)
        else:
            await self._open(ticket, claim, started)

    def _limit(self, part: int) -> None:
        """Take from now on what limits allow, of frames at once a ``part``."""
        settings = conf.current()
        burst = settings.inbound_burst / part
        self._inbound = Bucket(rate=settings.inbound_rate, burst=burst, now=time.monotonic())

    def _nobody_came(self) -> None:
        if self._nobody_yet is not None:
            self._ending = asyncio.ensure_future(self._end(Close.NOT_AUTHENTICATED))

    async def _open(self, ticket: str, claim: Claim | None, started: float) -> None:
        """Serve who shows ``ticket``, or whom ``claim`` stands for; refuse nobody, and who may not see the record."""
        feed, text = self._feed, self._key_text(self._feed)
        try:
            with Hub.current().visit(arriving=True) as reader:  # who is on his way in is nobody's member yet
                claim = await reader.redeem(ticket) if ticket else claim
                over = await Quotas.current().stays_full(claim) if claim else None
                user = None if over else await self._user(claim, is_new=bool(ticket))
                if user is not None and self._place is not None:
                    over = await self._place.belong(str(user.pk), claim)
        except DatabaseError as error:
            failed("who opens a socket", error)
            await self.refuse(Close.INTERNAL, started)
            return
        if self._place is not None and self._place.is_watched:
            self._limit(WATCHED)
        if over is not None:
            await self._say_goodbye(Close.LIMITED, over)
            await self.refuse(Close.LIMITED, started)
        elif user is None:
            await self._say_goodbye(Close.NOT_AUTHENTICATED)
            await self.refuse(Close.NOT_AUTHENTICATED, started)
        elif self._speaks:
            self._dialect = Dialect(feed, feed.viewer(user), self, claim)
            await self._dialect.begin(text)
        elif text is None:
            await self.refuse(Close.PROTOCOL_ERROR, started)  # many records take the sync dialect
        elif not await self._join(feed, feed.key(text), feed.viewer(user), claim):
            await self.refuse(Close.NOT_FOUND, started)

    async def _user(self, claim: Claim | None, *, is_new: bool) -> Any:
        """Return who opens this socket, ``None`` for nobody; a middleware may have found him already."""
        if claim is None:
            return None
        if not is_new and "user" in self.scope and not is_unambient(self.scope):
            return self.scope["user"]
        return (await Hub.current().start().accounts([claim])).get(claim)

    def _key_text(self, feed: type[Feed]) -> str | None:
        """Return what stands in the address where a key belongs; ``None`` for the address of all records."""
        kwargs = self.scope["url_route"]["kwargs"]
        text: str | None = kwargs.get("key", kwargs.get(f"{feed.name}_id"))
        return text

    async def _join(self, feed: type[Feed], key: Any, viewer: Viewer, claim: Claim | None) -> bool:
        if key is None:
            return False
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        self._member = Member(viewer, self, feed, claim)
        try:
            return await Hub.current().join(self._member, feed.topic(key), snapshot=query.get("snapshot") != ["0"])
        except DatabaseError as error:
            failed("join", error)
            self._member.end(Close.INTERNAL)
            return True

    async def write(self, text: str) -> None:
        """Write one frame; the hub's member is the only caller."""
        try:
            await self.send(text_data=text)
        except (OSError, RuntimeError) as error:
            # The peer has just left, or is being closed: servers raise what they like (autobahn a RuntimeError,
            # uvicorn an OSError), and ``websocket_disconnect`` follows.
            metrics.skipped.labels("too late").inc()
            logger.debug("a frame came too late for its socket: %s", error)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Hear a client of the sync dialect, ignore any other; end one that says too much."""
        settings = conf.current()
        most = settings.frame_bytes if self._dialect is None else settings.subscribe_bytes
        size = len(bytes_data or (text_data or "").encode("utf-8", "surrogatepass"))
        if size > most:
            await self._end(Close.TOO_BIG)
        elif not self._inbound.allow(now=time.monotonic()):
            await self._end(Close.LIMITED)
        elif self._nobody_yet is not None:
            await self._heard_of(text_data)
        elif self._dialect is not None:
            if text_data is None:
                await self._end(Close.PROTOCOL_ERROR)
            elif not self._dialect.heard(text_data, size):
                self._inbound.allow(now=time.monotonic(), cost=NOISE)

    async def _heard_of(self, text: str | None) -> None:
        """Take the first words of a client that has not said who it is: ``auth``, or it is not heard."""
        assert self._nobody_yet is not None
        self._nobody_yet.cancel()
        self._nobody_yet = None
        said = None
        with suppress(NotAFrame, BadFrame, TooBig):
            said = heard(text or "")
        if isinstance(said, Auth):
            await self._open(said.ticket, None, time.monotonic())
        else:
            await self._end(Close.NOT_AUTHENTICATED)

    async def _end(self, code: Close) -> None:
        if self._dialect is not None:
            self._dialect.end(code)
        else:
            await self._say_goodbye(code)
            metrics.refused.labels(str(code.value)).inc()
            await self.close(code)

    async def _say_goodbye(self, code: Close, over: Over | None = None) -> None:
        if self._speaks:
            await self.write(spoken(goodbye(code, retry_after=over.retry_after if over else 0.0)))

    def leave(self) -> None:
        if self._nobody_yet is not None:
            self._nobody_yet.cancel()
            self._nobody_yet = None
        if self._dialect is not None:
            self._dialect.leave()
        if self._member is not None:
            Hub.current().leave(self._member)
            self._member.gone()
        self._dialect = self._member = None  # they know this consumer: a circle waits for the collector
        super().leave()


class OrderSyncConsumer(SyncConsumer):
    """The consumer of the feed named ``order``, for projects that write their own route with ``<order_id>``."""

    feed_name = "order"
