"""Boards that are read anew: one that has lost members and has places, or was told too little, asks the database."""

import asyncio
from collections.abc import Collection
from typing import Protocol

from django.db import Error as DatabaseError

from . import conf
from .listings import Listings
from .member import Member
from .protocol.frames import Update
from .protocol.subscriptions import LIMIT, BoardOf
from .reader import Reader
from .speaker import Speaker
from .tasks import Tasks, failed


class Filled(Protocol):
    """What the renewal of boards needs of the hub."""

    members: dict[Member, None]
    listings: Listings
    tasks: Tasks

    @property
    def reader(self) -> Reader | None: ...
    def hold(self, member: Member, topic: str, *, after: int | None = None) -> None: ...
    def release(self, member: Member, topic: str, updates: Collection[Update], *, silent: bool = False) -> None: ...
    def unwatch(self, member: Member, topic: str) -> None: ...


class Renewal:
    """The boards that wait to be read anew, and the task that reads them one after the other."""

    def __init__(self, hub: Filled) -> None:
        self._hub = hub
        self._stale: dict[BoardOf, Speaker] = {}

    def renew(self, board: BoardOf, speaker: Speaker) -> None:
        """Ask the database for what ``board`` lists: who is not there yet comes onto it, who is too old gives way."""
        self._stale[board] = speaker
        self._hub.tasks.once("boards", self._renew_all)

    def renew_what_wants_it(self, speaker: Speaker) -> None:
        for board in speaker.subscriptions.boards.values():
            if board.wants_renewal:
                self.renew(board, speaker)

    def renew_what_it_came_back_to(self, member: Member, update: Update) -> None:
        """A record that ``member`` has just lost may be his again: the newer version was offered while he had it."""
        if isinstance(member, Speaker) and self._hub.listings.knows(update.topic, update.version + 1):
            for board in member.subscriptions.boards.values():
                self.renew(board, member)

    async def _renew_all(self) -> None:
        while self._stale and (reader := self._hub.reader) is not None:
            board, speaker = self._stale.popitem()
            try:
                keys, total = await reader.listed(board.listing, board.limit)
                topics = [speaker.feed.topic(key) for key in keys]
                found = await reader.states([topic for topic in topics if topic not in board.members])
            except DatabaseError as error:
                failed("boards", error)
                self._stale[board] = speaker
                await asyncio.sleep(conf.current().repair_seconds)
                continue
            if speaker in self._hub.members and board.passed is None:
                self._renewed(board, speaker, topics, found, total)

    def _renewed(
        self, board: BoardOf, speaker: Speaker, topics: list[str], found: dict[str, Update], total: int
    ) -> None:
        subscriptions = speaker.subscriptions
        come, gone = subscriptions.renewed(board, topics, found, total)
        for topic in come:
            if topic not in speaker.session:
                self._hub.hold(speaker, topic)
                self._hub.release(speaker, topic, [found[topic]])
        if come := [topic for topic in reversed(come) if topic in board.members]:
            speaker.say(subscriptions.words.added(board.id, come))
        if gone:
            speaker.say(subscriptions.words.removed(board.id, dict.fromkeys(gone, LIMIT)))
        for topic in gone:
            if not subscriptions.covers(topic):
                self._hub.unwatch(speaker, topic)
