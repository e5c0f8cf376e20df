"""The count that the processes share, in the Redis or Valkey of the channel layer: handshakes, and leases.

A lease is a place that a socket holds under a key, such as ``user:17``. It ends by itself when nobody renews it: a
process that dies takes nobody's place for longer than ``lease_seconds``. Times are the server's, of no host here.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from throttled.asyncio import Quota, Rate, RedisStore, RedisStoreBackend
from throttled.asyncio.rate_limiter.gcra import GCRARateLimiter

from . import conf
from .questions import Questions, Unanswered, prefix

TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return math.max(1, redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] - now)
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 0
"""
"""KEYS: the key. ARGV: the lease, how many there may be, milliseconds. 0, or the milliseconds until one may end."""

RENEW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for number, key in ipairs(KEYS) do
  redis.call('ZADD', key, now + ARGV[1], ARGV[number + 1])
  redis.call('PEXPIRE', key, ARGV[1])
end
"""
"""KEYS: one for each lease. ARGV: milliseconds, the leases. Also puts back what a server that was emptied has lost."""

END = """
for number, key in ipairs(KEYS) do
  redis.call('ZREM', key, ARGV[number])
end
"""
"""KEYS: one for each lease. ARGV: the leases."""

AT_ONCE = 200
"""Leases that one question renews or ends."""
ENDS_AT_MOST = 10_000
"""Leases whose end waits to be told; beyond it the oldest end by themselves."""


class Tally:
    """What one event loop knows of the shared count. Without a Redis behind the channel layer it knows nothing."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.questions = Questions()
        self._last: tuple[tuple[float, int, str], GCRARateLimiter] | None = None
        self._held: dict[tuple[str, str], bool] = {}
        """The leases that are held, and whether they are renewed: not while it is asked whether there is a place."""
        self._ended: deque[tuple[str, str]] = deque(maxlen=ENDS_AT_MOST)
        self._wake = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def wait(self, address: str, *, rate: float, burst: int) -> float | None:
        """Take one handshake of ``address``; return 0, or the seconds until it has one again."""
        try:
            result = await self._limiter(rate, burst, prefix()).limit(f"address:{address}")
        except Unanswered:
            return None
        return max(result.state.retry_after, 0.001) if result.limited else 0.0

    def _limiter(self, rate: float, burst: int, prefix: str) -> GCRARateLimiter:
        """Return the library's limiter; the last one is kept, for it costs half a millisecond."""
        if self._last is None or self._last[0] != (rate, burst, prefix):
            # Whole numbers over a long time: the library's quota knows no fraction.
            quota = Quota(Rate(_SPAN, max(1, round(rate * _SPAN.total_seconds()))), burst)
            self._last = ((rate, burst, prefix), GCRARateLimiter(quota, _store_on(self.questions), key_prefix=prefix))
        return self._last[1]

    async def take(self, key: str, lease: str, *, most: int) -> float | None:
        """Hold ``lease`` under ``key`` until ``end``; return 0, or the seconds until one of the ``most`` may end.

        With ``None`` it is held as well: when the server is back it is told.
        """
        self._held[key, lease] = False
        self._wake.set()
        if self._keeping is None:
            self._keeping = self._loop.create_task(self._keep())
        try:
            wait: float | None = int(await self.questions.ask(TAKE, [_at(key)], [lease, most, _ttl()])) / 1000
        except Unanswered:
            wait = None
        if wait:
            self._held.pop((key, lease), None)
        elif (key, lease) in self._held:
            self._held[key, lease] = True
        return wait

    def end(self, key: str, lease: str) -> None:
        """Give the place back; the server is told soon."""
        if self._held.pop((key, lease), None) is not None:
            self._ended.append((key, lease))
            self._wake.set()

    async def _keep(self) -> None:
        """Renew what is held and end what is not, for as long as there is anything; then hang up."""
        renewed = time.monotonic()
        try:
            while self._held or self._ended or await self._woken(conf.current().linger_seconds):
                pause = conf.current().limits.lease_seconds / 3
                await self._woken(renewed + pause - time.monotonic())
                ended = [self._ended.popleft() for _ in range(len(self._ended))]
                await self._tell(END, ended)  # what is not told ends by itself
                if time.monotonic() >= renewed + pause:
                    renewed = time.monotonic()
                    await self._tell(RENEW, list(self._held), _ttl())
        finally:
            self._keeping = None
        await self.questions.hang_up()

    async def _woken(self, within: float) -> bool:
        """Wait until something is taken or ended, for so many seconds at most; return whether it was."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, within)):
                await self._wake.wait()
        was = self._wake.is_set()
        self._wake.clear()
        return was

    async def _tell(self, script: str, leases: Sequence[tuple[str, str]], *arguments: Any) -> None:
        with suppress(Unanswered):
            for began in range(0, len(leases), AT_ONCE):
                some = leases[began : began + AT_ONCE]
                if script == RENEW:  # some of them may have ended meanwhile
                    some = [lease for lease in some if self._held.get(lease)]
                await self.questions.ask(
                    script, [_at(key) for key, _ in some], [*arguments, *(lease for _, lease in some)]
                )


_SPAN = timedelta(seconds=1000)


def _store_on(questions: Questions) -> RedisStore:
    """Return the library's store over our questions: a connection of its own would not know our time-outs."""

    class Client:
        def register_script(self, script: str) -> Any:
            return partial(questions.ask, script)

    class Backend(RedisStoreBackend):
        def get_client(self) -> Any:
            return Client()

    class Store(RedisStore):
        _BACKEND_CLASS = Backend

    return Store()


def _ttl() -> int:
    return max(1, round(conf.current().limits.lease_seconds * 1000))


def _at(key: str) -> str:
    return f"{prefix()}:{key}"
