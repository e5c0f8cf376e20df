"""Viewers of both dialects: what each asked for, what he was shown, and the client that he holds it in."""

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from realtime.boards import Listing, filters_of
from realtime.feeds import Viewer
from realtime.gateways.base import Dialect
from realtime.hub import Hub
from realtime.member import Member
from realtime.testing.mirror import Mirror
from realtime.tests.deliveries.feeds import DeliveryFeed

Frame = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """A subscription: of one record, or of a board."""

    id: str
    topic: str
    mode: str = "latest"
    filter: dict[str, Any] = field(default_factory=dict)
    limit: int = 200

    @property
    def key(self) -> str | None:
        """The record's key; ``None`` for a board."""
        kind, _, rest = self.topic.partition(":")
        return rest if kind == "delivery" else None

    def listing(self, viewer: Viewer) -> Listing:
        board = DeliveryFeed.boards[self.topic.partition(":")[2]]
        conditions = board.conditions(role=viewer.role, viewer_id=viewer.id)
        assert conditions is not None
        return Listing("delivery", conditions, filters_of(DeliveryFeed, self.filter))


class Sink:
    """The writing end of a socket; writing waits while the reader stands still."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.code: int | None = None
        self.reads = asyncio.Event()
        self.reads.set()

    async def write(self, text: str) -> None:
        await self.reads.wait()
        self.frames.append(json.loads(text))

    async def close(self, code: int) -> None:
        self.code = int(code)


class Watcher:
    """One person with one socket at a time. ``asks`` empty: the plain dialect, of ``record``."""

    def __init__(self, name: str, viewer: Viewer, asks: list[Ask], record: uuid.UUID | None = None) -> None:
        self.name, self.viewer, self.asks, self.record = name, viewer, asks, record
        self.mirror = Mirror(DeliveryFeed)
        self.sink = Sink()
        self.dialect: Dialect | None = None
        self.member: Member | None = None
        self.began: dict[str, int] = {}
        """The newest version that there was of each record when the socket was opened."""
        self.judged = 0
        self.has_stood_still = False

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(ask.topic for ask in self.asks) or f'plain {self.record}'})"

    @property
    def is_here(self) -> bool:
        return self.member is not None

    @property
    def is_whole(self) -> bool:
        return any(ask.mode == "all" for ask in self.asks)

    @property
    def key(self) -> uuid.UUID | None:
        """The record that he asked for by its key."""
        return self.record or next((uuid.UUID(ask.key) for ask in self.asks if ask.key is not None), None)

    @property
    def has_everything(self) -> bool:
        """Whether he is here and lost none of what he asked for."""
        lost = [ask for ask in self.asks if ask.key is not None and ask.id not in self.mirror.topics]
        return self.is_here and self.sink.code is None and not lost

    async def join(self, versions: dict[str, int], have: dict[str, Any] | None) -> None:
        """Open a socket; ``have``: the cursors that the client gives."""
        self.sink, self.judged, self.began, self.has_stood_still = Sink(), 0, dict(versions), False
        if self.record is not None:
            self.mirror = Mirror(DeliveryFeed)
            self.mirror.topics["plain"] = str(self.record)
            self.member = Member(self.viewer, self.sink, DeliveryFeed)
            if not await Hub.current().join(self.member, DeliveryFeed.topic(self.record)):
                self.sink.code = 4404
            return
        self.dialect = Dialect(DeliveryFeed, self.viewer, self.sink)
        self.member = self.dialect.speaker
        self.mirror.topics = {ask.id: ask.key for ask in self.asks if ask.key is not None}
        await self.dialect.begin()
        for ask in self.asks:
            said: Frame = {"type": "subscribe", "id": ask.id, "topic": ask.topic, "mode": ask.mode}
            if ask.key is None:
                said |= {"filter": ask.filter, "limit": ask.limit}
            text = json.dumps(said | ({"have": have} if have else {}))
            self.dialect.heard(text, len(text))

    def leave(self) -> None:
        """Close the socket; the client keeps what it holds."""
        if self.dialect is not None:
            self.dialect.leave()
        elif self.member is not None:
            Hub.current().leave(self.member)
            self.member.gone()
        self.dialect = self.member = None

    def forget(self) -> None:
        """Start with an empty client."""
        self.mirror = Mirror(DeliveryFeed)
