"""The count that the processes share, in the Redis or Valkey of the channel layer: handshakes, and leases.

A lease is a place that a socket holds under a key, such as ``user:17``. It ends by itself when nobody renews it: a
process that dies takes nobody's place for longer than ``lease_seconds``. Times are the server's, of no host here.

Nothing here raises and nothing waits long: what cannot be asked is answered with ``None``, and counted. After a failure
the server is left alone for ``shared_pause``, then one question finds out whether it is back.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError
from throttled.asyncio import Quota, Rate, RedisStore, RedisStoreBackend
from throttled.asyncio.rate_limiter.gcra import GCRARateLimiter
from throttled.exceptions import BaseThrottledError

from . import conf, metrics

logger = logging.getLogger("realtime.limits")
Result = TypeVar("Result")

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

MOST_CONNECTIONS = 8
AT_ONCE = 200
"""Leases that one call renews or ends."""
ENDS_AT_MOST = 10_000
"""Leases whose end waits to be told; beyond it the oldest end by themselves."""


_SPAN = timedelta(seconds=1000)


def _store_on(client: Redis) -> RedisStore:
    """Return the library's store on a connection of ours; its own would not know our time-outs."""

    class Backend(RedisStoreBackend):
        def get_client(self) -> Any:
            return client

    class Store(RedisStore):
        _BACKEND_CLASS = Backend

    return Store()


class Tally:
    """What one event loop knows of the shared count. Without a Redis behind the channel layer it knows nothing."""

    def __init__(self) -> None:
        self._client: Redis | None = None
        self._host: dict[str, Any] | None = None
        self._scripts: dict[str, Any] = {}
        self._few = asyncio.Semaphore(MOST_CONNECTIONS)
        self._is_away, self._asks_again_at = False, 0.0
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._held: dict[tuple[str, str], None] = {}
        self._ended: deque[tuple[str, str]] = deque(maxlen=ENDS_AT_MOST)
        self._keeping: asyncio.Task[None] | None = None

    async def wait(self, address: str, *, rate: float, burst: int) -> float | None:
        """Take one handshake of ``address``; return 0, or the seconds until it has one again."""
        # Whole numbers over a long time: the library's quota knows no fraction.
        quota = Quota(Rate(_SPAN, max(1, round(rate * _SPAN.total_seconds()))), burst)

        async def ask(client: Redis) -> float:
            limiter = GCRARateLimiter(quota, _store_on(client), key_prefix=f"{self._prefix}:limits")
            result = await limiter.limit(f"address:{address}")
            return max(result.state.retry_after, 0.001) if result.limited else 0.0

        return await self._ask(ask)

    async def take(self, key: str, lease: str, *, most: int) -> float | None:
        """Hold ``lease`` under ``key`` until ``end``; return 0, or the seconds until one of the ``most`` may end.

        With ``None`` it is held as well: when the server is back it is told.
        """
        self._held[key, lease] = None
        self._wake.set()
        if self._keeping is None:
            self._keeping = self._loop.create_task(self._keep())
        wait = await self._ask(lambda client: self._script(client, TAKE)([self._at(key)], [lease, most, self._ttl]))
        if wait:
            self._held.pop((key, lease), None)
        return None if wait is None else int(wait) / 1000

    def end(self, key: str, lease: str) -> None:
        """Give the place back. From any thread; the server is told soon."""
        if self._held.pop((key, lease), "no lease") is None:
            self._ended.append((key, lease))
            with suppress(RuntimeError):  # the loop is over, and with it the process: the lease ends by itself
                self._loop.call_soon_threadsafe(self._wake.set)

    async def _keep(self) -> None:
        """Renew what is held and end what is not, for as long as there is anything; then hang up."""
        renewed = time.monotonic()
        try:
            while self._held or self._ended or await self._woken(conf.current().linger_seconds):
                pause = conf.current().limits.lease_seconds / 3
                await self._woken(renewed + pause - time.monotonic())
                await self._tell_ends()
                if time.monotonic() >= renewed + pause:
                    renewed = time.monotonic()
                    await self._renew()
        finally:
            self._keeping = None
        if self._client is not None:
            await self._client.connection_pool.disconnect(inuse_connections=False)

    async def _woken(self, within: float) -> bool:
        """Wait until something is taken or ended, for so many seconds at most; return whether it was."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, within)):
                await self._wake.wait()
        was = self._wake.is_set()
        self._wake.clear()
        return was

    async def _tell_ends(self) -> None:
        while self._ended:
            ended = [self._ended.popleft() for _ in range(min(len(self._ended), AT_ONCE))]
            await self._ask(partial(self._tell_ended, ended))

    async def _tell_ended(self, ended: list[tuple[str, str]], client: Redis) -> list[Any]:
        async with client.pipeline(transaction=False) as pipeline:
            for key, lease in ended:
                pipeline.zrem(self._at(key), lease)
            return await pipeline.execute()

    async def _renew(self) -> None:
        held = iter(list(self._held))
        while some := [lease for lease in islice(held, AT_ONCE) if lease in self._held]:
            keys, arguments = [self._at(key) for key, _ in some], [self._ttl, *(lease for _, lease in some)]
            if await self._ask(partial(self._tell_held, keys, arguments)) is None:
                return

    async def _tell_held(self, keys: list[str], arguments: list[Any], client: Redis) -> bool:
        await self._script(client, RENEW)(keys, arguments)
        return True

    async def _ask(self, ask: Callable[[Redis], Awaitable[Result]]) -> Result | None:
        client, limits, now = self._connected(), conf.current().limits, time.monotonic()
        if client is None:
            return None
        if now < self._asks_again_at:
            metrics.counted_alone.labels("away").inc()
            return None
        if self._is_away:
            self._asks_again_at = now + limits.shared_pause
        try:
            async with asyncio.timeout(limits.shared_timeout), self._few:
                found = await ask(client)
        except TimeoutError:
            self._failed("mute", "no answer in time")
            return None
        except (RedisError, BaseThrottledError, OSError) as error:
            self._failed("failed", f"{type(error).__name__}: {error}")
            return None
        if self._is_away:
            logger.info("the shared count of limits is back")
        self._is_away, self._asks_again_at = False, 0.0
        return found

    def _failed(self, reason: str, said: str) -> None:
        metrics.counted_alone.labels(reason).inc()
        if not self._is_away:
            logger.warning("the shared count of limits cannot be asked, this process counts alone: %s", said)
        self._is_away = True
        self._asks_again_at = time.monotonic() + conf.current().limits.shared_pause

    def _connected(self) -> Redis | None:
        host = _host()
        if host != self._host:
            from channels_redis.utils import create_pool

            limit = conf.current().limits.shared_timeout
            own = {"socket_connect_timeout": limit, "socket_timeout": limit}
            self._host, self._scripts, self._is_away, self._asks_again_at = host, {}, False, 0.0
            self._client = None if host is None else Redis(connection_pool=create_pool(host | own))
        return self._client

    def _script(self, client: Redis, text: str) -> Any:
        if text not in self._scripts:
            self._scripts[text] = client.register_script(text)
        return self._scripts[text]

    @property
    def _ttl(self) -> int:
        return max(1, round(conf.current().limits.lease_seconds * 1000))

    @property
    def _prefix(self) -> str:
        return str(_layer().get("CONFIG", {}).get("prefix", "asgi"))

    def _at(self, key: str) -> str:
        return f"{self._prefix}:limits:{key}"


def _layer() -> dict[str, Any]:
    found: dict[str, Any] = getattr(settings, "CHANNEL_LAYERS", {}).get(conf.current().channel_layer, {})
    return found


def _host() -> dict[str, Any] | None:
    """Return the first host of the channel layer; ``None`` where it is no Redis."""
    if not _layer().get("BACKEND", "").startswith("channels_redis."):
        return None
    from channels_redis.utils import decode_hosts

    return dict(decode_hosts(_layer().get("CONFIG", {}).get("hosts"))[0])
