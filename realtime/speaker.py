"""A socket of the sync dialect (PROTOCOL §3) in the hub: many records and boards, and frames that say so."""

import time
from dataclasses import replace
from typing import Any

from django.utils import timezone

from . import conf, metrics
from .capture.base import plain
from .feeds import Feed, Viewer
from .identity import Claim
from .masking import audience_of
from .member import Member, Sink
from .protocol.closing import Close
from .protocol.frames import Update
from .protocol.messages import Heartbeat, Revoked, goodbye, spoken
from .protocol.outbox import Repeat, Say
from .protocol.session import Send
from .protocol.subscriptions import FORBIDDEN, Subscriptions, Verdict


class Speaker(Member):
    """A member that watches what it subscribes to, and is told what ends and what is complete."""

    verified_at: str | None = None
    """All that was committed before it, by the database's clock, has been put into the outbox."""

    def __init__(self, viewer: Viewer, sink: Sink, feed: type[Feed], claim: Claim | None = None) -> None:
        super().__init__(viewer, sink, feed, claim)
        self.subscriptions = Subscriptions(feed.words())
        self._beat_at = time.monotonic() + conf.current().heartbeat_seconds

    @property
    def is_reading(self) -> bool:
        """Whether a read is under way: something may be missing until it is answered."""
        return self.session.is_reading or any(b.passed is not None for b in self.subscriptions.boards.values())

    def sees(self, update: Update) -> bool:
        """Return whether this viewer may see the record in this version."""
        return audience_of(update, self.viewer) is not None

    def show(self, send: Send) -> list[str]:
        verdict = self.subscriptions.judge(send.update, visible=self.sees(send.update))
        if verdict.shown:
            self.push(replace(send, whole=self.subscriptions.wants_all(send.update.topic)))
        return self._tell(verdict)

    def lose(self, topic: str) -> list[str]:
        return self._tell(self.subscriptions.lose(topic, FORBIDDEN))

    def _tell(self, verdict: Verdict) -> list[str]:
        for frame in verdict.said:
            if isinstance(frame, Revoked):
                metrics.topics_refused.labels(frame.reason).inc()
            self.say(frame)
        return verdict.left

    @property
    def holds_anything(self) -> bool:
        return bool(self.subscriptions.records or self.subscriptions.boards)

    def repeat(self, repeat: Repeat) -> None:
        """Leave it out: a frame without a version has no place in the continuity of this dialect."""

    def say(self, frame: Any) -> None:
        """Have ``frame`` written after what waits."""
        text = spoken(frame)
        self.push(Say(lambda: text, len(text)))

    def vouched(self, clock: str, pos: int) -> None:
        """Take that all up to ``clock``, and up to the position ``pos``, has been put into the outbox."""
        self.verified_at = clock

    def beat(self, now: float) -> None:
        """Say the heartbeat when it is due; its time is that of writing, what it vouches for stands before it."""
        if now >= self._beat_at:
            self._beat_at = now + conf.current().heartbeat_seconds
            verified = self.verified_at
            self.push(Say(lambda: spoken(Heartbeat(plain(timezone.now()), verified))))

    def end(self, code: Close, *, retry_after: float = 0.0) -> None:
        if not self.is_ending:
            self.say(goodbye(code, retry_after=retry_after))
        super().end(code)
