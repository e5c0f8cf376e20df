"""Questions to the Redis or Valkey of the channel layer: calls of scripts, for what the processes count together.

Questions that come together go together: one message at a time, on one connection. Nobody waits long: what is not
answered in time is said to be unknown, and counted. After a failure the server is left alone for ``shared_pause``, then
one question finds out whether it is back.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis.exceptions
from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from . import conf, metrics

logger = logging.getLogger("realtime.limits")

AT_ONCE = 200
"""Questions that go in one message."""


class Unanswered(Exception):
    """The server was not asked, or has not answered in time."""


@dataclass(frozen=True, slots=True)
class Question:
    """A call of a script, and where its answer goes."""

    script: str
    keys: Sequence[str]
    arguments: Sequence[Any]
    answer: "asyncio.Future[Any]"


class Questions:
    """Those of one event loop. Without a Redis behind the channel layer there is no answer."""

    def __init__(self) -> None:
        self._client: Redis | None = None
        self._host: dict[str, Any] | None = None
        self._waiting: list[Question] = []
        self._asking: asyncio.Task[None] | None = None
        self._is_away, self._asks_again_at = False, 0.0

    async def ask(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Return what ``script`` says; raises ``Unanswered``."""
        client, now = self._connected(), time.monotonic()
        if client is None:
            raise Unanswered
        if now < self._asks_again_at:
            metrics.counted_alone.labels("away").inc()
            raise Unanswered
        if self._is_away:  # one asks whether it is back
            self._asks_again_at = now + conf.current().limits.shared_pause
        loop = asyncio.get_running_loop()
        question = Question(script, keys, arguments, loop.create_future())
        self._waiting.append(question)
        if self._asking is None:
            self._asking = loop.create_task(self._ask_all(client))
        return await question.answer

    async def _ask_all(self, client: Redis) -> None:
        some: list[Question] = []
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                try:
                    async with asyncio.timeout(conf.current().limits.shared_timeout):
                        answers = await self._answers(client, some)
                except (TimeoutError, redis.exceptions.TimeoutError):
                    self._failed("mute", "no answer in time", some)
                except (RedisError, OSError) as error:
                    self._failed("failed", f"{type(error).__name__}: {error}", some)
                else:
                    self._answered(some, answers)
        finally:
            self._asking = None
            self._leave_unanswered([*some, *self._waiting])  # whatever ended us: nobody waits for ever

    async def _answers(self, client: Redis, questions: Sequence[Question]) -> list[Any]:
        answers = await self._called(client, questions)
        unknown = [number for number, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:  # a server that was started anew
            for script in {questions[number].script for number in unknown}:
                await client.script_load(script)
            again = await self._called(client, [questions[number] for number in unknown])
            answers = [again.pop(0) if number in unknown else answer for number, answer in enumerate(answers)]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    async def _called(self, client: Redis, questions: Sequence[Question]) -> list[Any]:
        async with client.pipeline(transaction=False) as pipeline:
            for asked in questions:
                pipeline.evalsha(_digest(asked.script), len(asked.keys), *asked.keys, *asked.arguments)
            found: list[Any] = await pipeline.execute(raise_on_error=False)
            return found

    def _answered(self, questions: Sequence[Question], answers: Sequence[Any]) -> None:
        for question, answer in zip(questions, answers, strict=True):
            if not question.answer.done():  # whoever asked may have gone
                question.answer.set_result(answer)
        if self._is_away:
            logger.info("the shared count of limits is back")
        self._is_away, self._asks_again_at = False, 0.0

    def _failed(self, reason: str, said: str, questions: Sequence[Question]) -> None:
        """Leave the server alone for a while; who waits for it is told that there is no answer."""
        questions, self._waiting = [*questions, *self._waiting], []
        metrics.counted_alone.labels(reason).inc(len(questions))
        self._leave_unanswered(questions)
        if not self._is_away:
            logger.warning("the shared count of limits cannot be asked, this process counts alone: %s", said)
        self._is_away = True
        self._asks_again_at = time.monotonic() + conf.current().limits.shared_pause

    def _leave_unanswered(self, questions: Sequence[Question]) -> None:
        for question in questions:
            if not question.answer.done():
                question.answer.set_exception(Unanswered())

    async def hang_up(self) -> None:
        """Close what is idle; the next question connects anew."""
        if self._client is not None:
            await self._client.connection_pool.disconnect(inuse_connections=False)

    def _connected(self) -> Redis | None:
        host = _host()
        if host != self._host:
            from channels_redis.utils import create_pool

            limit = conf.current().limits.shared_timeout
            own = {"socket_connect_timeout": limit, "socket_timeout": limit}
            self._host, self._is_away, self._asks_again_at = host, False, 0.0
            self._client = None if host is None else Redis(connection_pool=create_pool(host | own))
        return self._client


@cache
def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def prefix() -> str:
    """Return what every key begins with: the layer's own prefix."""
    return str(_layer().get("CONFIG", {}).get("prefix", "asgi")) + ":limits"


def _layer() -> dict[str, Any]:
    found: dict[str, Any] = getattr(settings, "CHANNEL_LAYERS", {}).get(conf.current().channel_layer, {})
    return found


def _host() -> dict[str, Any] | None:
    """Return the first host of the channel layer; ``None`` where it is no Redis."""
    if not _layer().get("BACKEND", "").startswith("channels_redis."):
        return None
    from channels_redis.utils import decode_hosts

    return dict(decode_hosts(_layer().get("CONFIG", {}).get("hosts"))[0])
