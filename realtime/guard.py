"""Ends the sockets of who is not who he was: logged out, another password, a disabled account, another role.

The bus brings a suspicion, never a verdict: the database is asked. Who is on nobody's list of suspects is asked about
every ``identity_seconds``, all in one read.
"""

import asyncio
import time
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
    """Asks again who stands behind each socket.

    Who cannot be asked about because of what he has shown himself is ended. While nobody can be asked about, because
    the database is away, sockets stay, but not for long what they are sent: the guard ``is_blind`` then, and the hub
    shows nothing until it sees again.
    """

    LOOKS = (0.0, 0.1, 0.3, 0.7, 1.4)
    """When a suspect is looked at, in seconds after the word: a log-out is told before its session is gone."""
    SUSPECTED = 30.0
    """How long a word is remembered: who was on his way in when it came is not among the members yet."""
    SUSPECTS = 10_000
    """Words that are remembered; the oldest gives way."""
    ROUNDS = 2
    """So many rounds without an answer, and the guard is blind; with two seconds more, for clocks of tests."""

    def __init__(self, hub: Guarded) -> None:
        self._hub = hub
        self._reader: Reader | None = None
        self._saw_at: float | None = None
        self._words: dict[str, float] = {}
        """When something was last said of an account, oldest first."""
        self._wanted: set[str] = set()
        """Accounts that are to be looked at closely once more."""

    @property
    def is_blind(self) -> bool:
        """Whether the last answer about everybody is too old to show them anything."""
        patience = self.ROUNDS * conf.current().identity_seconds + 2.0
        return self._saw_at is not None and time.monotonic() - self._saw_at > patience

    async def run(self, reader: Reader) -> None:
        """Ask about everybody, again and again, until cancelled; sooner again when there was no answer."""
        self._reader, self._saw_at = reader, time.monotonic()
        sees = True
        while True:
            settings = conf.current()
            wait = settings.identity_seconds
            await asyncio.sleep(wait if sees else min(wait, settings.repair_seconds))
            began = time.monotonic()
            sees = await self._look_at(list(self._hub.members), reader)
            if sees:
                self._saw_at = began

    def suspect(self, account: str) -> None:
        """Look closely at the sockets of ``account``, and at those that come soon: something has changed about it."""
        self._words.pop(account, None)
        self._words[account] = time.monotonic()
        if len(self._words) > self.SUSPECTS:
            del self._words[next(iter(self._words))]
        if any(member.account == account for member in self._hub.members):
            self._look_soon(account)

    def arrived(self, member: Member) -> None:
        """Look closely at a new member whom a word came before: he was asked about before it."""
        said = self._words.get(member.account)
        if said is not None and time.monotonic() - said < self.SUSPECTED:
            self._look_soon(member.account)

    def _look_soon(self, account: str) -> None:
        self._wanted.add(account)
        self._hub.tasks.once(f"suspect {account}", lambda: self._look_closely(account))

    async def _look_closely(self, account: str) -> None:
        """Look at ``account`` several times; all of them again when something was said of it meanwhile."""
        while account in self._wanted:
            self._wanted.discard(account)
            before = 0.0
            for after in self.LOOKS:
                await asyncio.sleep(after - before)
                before = after
                suspects = [member for member in self._hub.members if member.account == account]
                if not suspects or self._reader is None:
                    break
                await self._look_at(suspects, self._reader)

    async def _look_at(self, members: Collection[Member], reader: Reader) -> bool:
        """Ask about ``members``; return whether there was an answer."""
        claims = {member.claim for member in members if member.claim is not None}
        try:
            users, wrong = await reader.members(claims)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody was asked about: that is what is answered
            failed("identity", error)
            return False
        for member in members:
            if member.claim is None or member not in self._hub.members:
                continue
            if member.claim in wrong:
                failed("identity", wrong[member.claim])
                self._hub.leave(member)
                member.end_at_once(Close.INTERNAL)
            else:
                await self._judge(member, member.claim, users.get(member.claim), reader)
        return True

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
