"""Sockets that lack versions between what they had and what has come: one read for all that are behind."""

import asyncio
from collections.abc import Collection
from typing import Protocol

from django.db import Error as DatabaseError

from . import conf
from .member import Member
from .protocol.frames import Update
from .reader import Reader
from .tasks import Tasks, failed


class Closing(Protocol):
    """What closing gaps needs of the hub."""

    tasks: Tasks

    @property
    def reader(self) -> Reader | None: ...
    def release(self, member: Member, topic: str, updates: Collection[Update], *, silent: bool = False) -> None: ...
    def offer(self, update: Update) -> None: ...


class Gaps:
    """Who is behind in which topic, and the task that reads what they lack."""

    def __init__(self, hub: Closing) -> None:
        self._hub = hub
        self._behind: dict[str, set[Member]] = {}

    def close(self, member: Member, topic: str) -> None:
        """Read what ``member`` lacks of ``topic``, and send it."""
        self._behind.setdefault(topic, set()).add(member)
        self._hub.tasks.once("gaps", self._close_all)

    async def _close_all(self) -> None:
        while self._behind and (reader := self._hub.reader) is not None:
            behind, self._behind = self._behind, {}
            after = {topic: min(m.session.sent(topic) or 0 for m in members) for topic, members in behind.items()}
            try:
                found = await reader.missed(after, limit=conf.current().catch_up_limit)
            except DatabaseError as error:
                failed("catch-up", error)
                await asyncio.sleep(conf.current().repair_seconds)
                for topic, members in behind.items():
                    self._behind.setdefault(topic, set()).update(members)
                continue
            for topic, members in behind.items():
                self._closed(topic, members, after[topic], found[topic])

    def _closed(self, topic: str, members: set[Member], after: int, updates: list[Update]) -> None:
        is_newest_alone = len(updates) == 1 and updates[0].version > after + 1
        for member in members:
            if is_newest_alone and (member.session.sent(topic) or 0) > after:
                # What the one furthest behind cannot be told may be there for the others.
                self._behind.setdefault(topic, set()).add(member)
            else:
                self._hub.release(member, topic, updates)
        for update in updates[-1:]:
            self._hub.offer(update)
