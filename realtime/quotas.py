"""How much one address and one user may have open (PROTOCOL §6): sockets, event streams, waiting polls.

First this process counts for itself, which costs nothing and holds whatever else is broken; what it allows is asked of
the count that all processes share. Where that cannot be asked, the process's own count decides: nobody is refused
because of an outage, and nobody has more than his limit in a process.
"""

import asyncio
import secrets
import time
import weakref
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from . import conf, metrics
from .address import is_loopback
from .identity import Claim
from .limits import Rates
from .tally import Tally

SPREAD = 1.0
"""Up to how many turns longer somebody waits who has no offence left: many were put out at one time."""


@dataclass(frozen=True, slots=True)
class Over:
    """A limit that is exceeded, and after how many seconds it is worth to come back."""

    limit: str
    """``handshakes`` or ``strangers`` of an address, ``sockets`` or ``offences`` of a user."""
    retry_after: float
    counted: str
    """``alone``: by this process, ``together``: by all of them."""


class Place:
    """What one socket, stream or wait takes up. Given back by ``leave``, or when nobody has it any more.

    ``leave`` may be called from any thread, and the collector of garbage finds it in any, in the midst of anything:
    what is counted changes on the loop alone.
    """

    def __init__(self, quotas: "Quotas", address: str, *, is_free: bool) -> None:
        self.lease, self.keys, self.address, self.is_free = quotas.new_lease(), list[str](), address, is_free
        self._quotas, self._has_offended = quotas, False
        self.is_watched = False
        """Whether it is somebody's whose offences are not forgotten yet."""
        quotas.places += 1
        self._end = weakref.finalize(self, quotas.left_soon, self.lease, self.keys)
        self._end.atexit = False

    async def belong(self, account: str, claim: Claim | None) -> Over | None:
        """Stop to be a stranger: take a place of ``account``; return the limit where it has none left."""
        return await self._quotas.belong(self, account, claim)

    def offend(self) -> None:
        """Remember that its socket was closed for what its client sent; once."""
        if not self._has_offended:
            self._has_offended = True
            self._quotas.offended(self.keys)

    def leave(self) -> None:
        """Give it back; again does nothing."""
        if self._end.detach() is not None:
            self._quotas.left_here(self.lease, self.keys)


class Quotas:
    """The places of one event loop."""

    PATIENCE = 5.0
    """Seconds until it is worth to come back, where nothing says when a place will be free."""
    AGAIN = 0.2
    """Seconds after which it is looked again for a place that is given back, within ``leaving_seconds``."""

    _all: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Quotas]" = weakref.WeakKeyDictionary()

    @classmethod
    def current(cls) -> "Quotas":
        """Return those of the running loop."""
        loop = asyncio.get_running_loop()
        found = cls._all.get(loop)
        if found is None:
            found = cls._all[loop] = cls()
        return found

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rates, self._offences, self._tally = Rates(), Rates(), Tally()
        self.places = 0
        """How many places this process has given out, whoever they are for."""
        self._open: dict[str, int] = {}
        """How many places are held under each key; a key without any is not there."""
        self._name, self._numbers = secrets.token_hex(8), count(1)

    def is_crowded(self) -> bool:
        """Return whether this process serves more than it may: the last one who came is to try elsewhere."""
        crowded = self.places > conf.current().limits.process_sockets
        if crowded:
            metrics.over_limits.labels("process", "alone").inc()
        return crowded

    def left_here(self, lease: str, keys: list[str]) -> None:
        """End a place, and what its ``lease`` holds: now on the loop, soon from elsewhere."""
        try:
            is_here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if is_here:
            self._left(lease, keys)
        else:
            self.left_soon(lease, keys)

    def left_soon(self, lease: str, keys: list[str]) -> None:
        with suppress(RuntimeError):  # the loop is over, and with it the process: the lease ends by itself
            self._loop.call_soon_threadsafe(self._left, lease, keys)

    def _left(self, lease: str, keys: list[str]) -> None:
        self.places -= 1
        self._give_back(lease, keys)

    def new_lease(self) -> str:
        return f"{self._name}:{next(self._numbers)}"

    async def arrive(self, address: str) -> Place | Over:
        """Take a place among the strangers of ``address``, before anything is read of the database.

        An address that is not known ('': a UNIX socket) has no limit of its own.
        """
        limits = conf.current().limits
        place = Place(self, address, is_free=not limits.loopback and is_loopback(address))
        over = None if place.is_free or not address else await self._admit(place, limits)
        if over is None:
            return place
        place.leave()
        return _refused(over)

    async def _admit(self, place: Place, limits: conf.Limits) -> Over | None:
        rate, burst, before = limits.handshakes_rate, limits.handshakes_burst, self._rates.forgotten
        now, names = time.monotonic(), limits.addresses_at_most
        wait = self._rates.wait(place.address, rate=rate, burst=burst, names=names, now=now)
        metrics.addresses_forgotten.inc(self._rates.forgotten - before)
        if wait:
            return Over("handshakes", wait, "alone")
        wait = await self._tally.wait(place.address, rate=rate, burst=burst) or 0.0
        if wait:
            return Over("handshakes", wait, "together")
        return await self._take(place, f"address:{place.address}", "strangers", limits.address_strangers)

    async def stays_full(self, claim: Claim) -> Over | None:
        """Return the limit when the session of ``claim`` alone has all of its user's places, and none is given back
        within ``leaving_seconds``: nobody need be asked.
        """
        over = await self._patiently(lambda: self._is_full(claim))
        return None if over is None else _refused(over)

    def is_waiting(self, claim: Claim) -> Over | None:
        """Return the limit when sockets of the session of ``claim`` have offended too often."""
        over = self._is_waiting(_session(claim))
        return None if over is None else _refused(over)

    async def _is_full(self, claim: Claim) -> Over | None:
        full = self._open.get(_session(claim), 0) >= conf.current().limits.user_sockets
        return Over("sockets", self.PATIENCE, "alone") if full else None

    async def belong(self, place: Place, account: str, claim: Claim | None) -> Over | None:
        if place.is_free:
            return None
        strangers, most = list(place.keys), conf.current().limits.user_sockets
        user = f"user:{account}"
        over = self._is_waiting(user) or await self._patiently(lambda: self._take(place, user, "sockets", most))
        if over is not None:
            return _refused(over)
        if self._offences.owes(user, now=time.monotonic()):  # he comes one at a time until it is forgotten
            place.is_watched = True
            self.offended(filter(None, (user, _session(claim) if claim else "")))
        self._put_back(place, strangers)
        if claim is not None and claim.session:
            self._put(place, _session(claim))
        return None

    def offended(self, keys: Iterable[str]) -> None:
        """Count an offence of each user and session among ``keys``; so counts, for who has offended lately, that he
        comes again. For this process alone: it costs nobody else.
        """
        limits = conf.current().limits
        rate, burst, names = limits.offences_rate, limits.offences_burst, limits.addresses_at_most
        for key in keys:
            if not key.startswith("address:"):
                self._offences.wait(key, rate=rate, burst=burst, names=names, now=time.monotonic(), spread=SPREAD)

    def _is_waiting(self, key: str) -> Over | None:
        limits = conf.current().limits
        rate, burst = limits.offences_rate, limits.offences_burst
        wait = self._offences.due(key, rate=rate, burst=burst, now=time.monotonic()) if key else 0.0
        return Over("offences", wait, "alone") if wait else None

    async def _patiently(self, tried: Callable[[], Awaitable[Over | None]]) -> Over | None:
        """Try again for ``leaving_seconds``: who loads a page anew comes while what he had there is about to leave."""
        until = time.monotonic() + conf.current().limits.leaving_seconds
        while True:
            over = await tried()
            if over is None or time.monotonic() >= until:
                return over
            await asyncio.sleep(self.AGAIN)

    async def _take(self, place: Place, key: str, limit: str, most: int) -> Over | None:
        if self._open.get(key, 0) >= most:
            return Over(limit, self.PATIENCE, "alone")
        self._put(place, key)
        wait = await self._tally.take(key, place.lease, most=most)
        if not wait:
            return None
        self._put_back(place, [key])
        return Over(limit, max(wait, self.PATIENCE), "together")

    def _put(self, place: Place, key: str) -> None:
        place.keys.append(key)
        self._open[key] = self._open.get(key, 0) + 1

    def _put_back(self, place: Place, keys: list[str]) -> None:
        place.keys[:] = [key for key in place.keys if key not in keys]
        self._give_back(place.lease, keys)

    def _give_back(self, lease: str, keys: list[str]) -> None:
        """End what ``lease`` holds under ``keys``."""
        for key in keys:
            left = self._open.get(key, 0) - 1
            if left > 0:
                self._open[key] = left
            else:
                self._open.pop(key, None)
            self._tally.end(key, lease)


def _session(claim: Claim) -> str:
    return f"session:{claim.session}" if claim.session else ""


def _refused(over: Over) -> Over:
    metrics.over_limits.labels(over.limit, over.counted).inc()
    return over
