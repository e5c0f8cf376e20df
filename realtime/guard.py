"""Ends the sockets of who is not who he was: logged out, another password, a disabled account, another role.

The bus brings a suspicion, never a verdict: the database is asked. Who is on nobody's list of suspects is asked about
every ``identity_seconds``, all in one read.
"""

import asyncio
from collections.abc import Collection
from typing import Any, Protocol

from django.db import Error as DatabaseError

from . import conf
from .feeds import Viewer
from .identity import Claim
from .masking import audience_of
from .member import Member
from .protocol.closing import Close
from .reader import Reader
from .tasks import Tasks, failed


class Guarded(Protocol):
    """What the guard needs of the hub."""

    members: dict[Member, None]
    tasks: Tasks

    def unwatch(self, member: Member, topic: str) -> None: ...
    def leave(self, member: Member) -> None: ...


class Guard:
    """Asks again who stands behind each socket."""

    LOOKS = (0.0, 0.1, 0.3, 0.7, 1.4)
    """When a suspect is looked at, in seconds after the word: a log-out is told before its session is gone."""

    def __init__(self, hub: Guarded) -> None:
        self._hub = hub
        self._reader: Reader | None = None

    async def run(self, reader: Reader) -> None:
        """Ask about everybody, again and again, until cancelled."""
        self._reader = reader
        while True:
            await asyncio.sleep(conf.current().identity_seconds)
            await self._look_at(list(self._hub.members), reader)

    def suspect(self, account: str) -> None:
        """Look closely at the sockets of ``account``: something has changed about it."""
        if any(member.account == account for member in self._hub.members):
            self._hub.tasks.once(f"suspect {account}", lambda: self._look_closely(account))

    async def _look_closely(self, account: str) -> None:
        before = 0.0
        for after in self.LOOKS:
            await asyncio.sleep(after - before)
            before = after
            suspects = [member for member in self._hub.members if member.account == account]
            if not suspects or self._reader is None:
                return
            await self._look_at(suspects, self._reader)

    async def _look_at(self, members: Collection[Member], reader: Reader) -> None:
        claims = {member.claim for member in members if member.claim is not None}
        try:
            users = await reader.accounts(claims)
        except DatabaseError as error:
            failed("identity", error)
            return
        for member in members:
            if member.claim is not None and member in self._hub.members:
                await self._judge(member, member.claim, users.get(member.claim), reader)

    async def _judge(self, member: Member, claim: Claim, user: Any, reader: Reader) -> None:
        if user is None or str(user.pk) != member.account:
            self._hub.leave(member)
            member.end_at_once(Close.SESSION_ENDED)
        elif (viewer := member.feed.viewer(user)) != member.viewer:
            await self._reseat(member, viewer, reader)

    async def _reseat(self, member: Member, viewer: Viewer, reader: Reader) -> None:
        """Take what the new role may not see; what is left was masked for another, so the session ends."""
        member.viewer = viewer  # from here on nothing is written for who he was, not even what waits
        try:
            found = await reader.states(member.session.topics())
        except DatabaseError as error:
            failed("identity", error)
            found = {}
        for topic in member.session.topics():
            if topic not in found or audience_of(found[topic], viewer) is None:
                for left in member.lose(topic):
                    self._hub.unwatch(member, left)
        if member.holds_anything and member in self._hub.members:
            self._hub.leave(member)
            member.end(Close.SESSION_ENDED)
