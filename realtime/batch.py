"""One read for all who ask at the same time: a storm of sockets costs a few statements, not one each."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from django.db import DataError

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


OF_DATA = (DataError, ValueError, OverflowError)
"""What a read raises because of what was asked for. Anything else, such as a database that is away, is no asker's."""


class Batch(Generic[Key, Value]):
    """Answers ``get`` by ``read``, one read at a time, each for everything that was asked for meanwhile.

    Who asks alone is answered at once. While ``expecting`` says that more are about to ask, they are waited for, for
    ``TOGETHER`` seconds at most: a crowd that comes for one key is one read. In a storm reads are ``APART`` seconds
    apart, so their number depends on how long it lasts and not on how many ask.

    An error stays with who asked for what caused it: the read is halved until it stands alone, once. What is the
    database's own trouble is everybody's, and is not tried again for each.
    """

    AT_MOST = 500
    """Keys of one read."""
    STORM = 20
    """Calls within a second that are a storm. A page that opens a handful of topics is none."""
    APART = 0.25
    TOGETHER = 0.05

    def __init__(
        self, read: Callable[[list[Key]], Awaitable[dict[Key, Value]]], expecting: Callable[[], bool] = lambda: False
    ) -> None:
        self._read, self._expecting = read, expecting
        self._wanted: dict[Key, list[asyncio.Future[Value | None]]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._asked: deque[float] = deque(maxlen=self.STORM)
        self._read_at = 0.0

    @property
    def is_reading(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._reading is not None

    async def get(self, keys: Collection[Key]) -> dict[Key, Value]:
        """Return what there is of ``keys``, read after this call was made; raise what the read raised."""
        found, errors = await self.each(keys)
        for error in errors.values():
            raise error
        return found

    async def each(self, keys: Collection[Key]) -> tuple[dict[Key, Value], dict[Key, Exception]]:
        """Return what there is of ``keys``, and what was raised because of which of them; raise what is of all."""
        loop = asyncio.get_running_loop()
        self._asked.append(loop.time())
        asked: dict[Key, asyncio.Future[Value | None]] = {key: loop.create_future() for key in keys}
        for key, future in asked.items():
            self._wanted.setdefault(key, []).append(future)
        if self._reading is None and asked:
            self._reading = loop.create_task(self._read_wanted())
        found: dict[Key, Value] = {}
        errors: dict[Key, Exception] = {}
        for key, said in zip(asked, await asyncio.gather(*asked.values(), return_exceptions=True), strict=True):
            if isinstance(said, OF_DATA):
                errors[key] = said
            elif isinstance(said, BaseException):
                raise said
            elif said is not None:
                found[key] = said
        return found, errors

    async def _read_wanted(self) -> None:
        try:
            while self._wanted:
                await asyncio.sleep(self._pause())
                await self._wait_for_more()
                self._read_at = asyncio.get_running_loop().time()
                keys = list(self._wanted)[: self.AT_MOST]
                await self._answer({key: self._wanted.pop(key) for key in keys})
        finally:
            self._reading = None

    async def _wait_for_more(self) -> None:
        now = asyncio.get_running_loop().time
        until = now() + self.TOGETHER
        for _ in range(round(self.TOGETHER * 1000)):
            if not self._expecting() or now() >= until:
                return
            await asyncio.sleep(0.001)

    def _pause(self) -> float:
        now = asyncio.get_running_loop().time()
        is_storm = len(self._asked) == self.STORM and now - self._asked[0] < 1.0
        return max(0.0, self._read_at + self.APART - now) if is_storm else 0.0

    async def _answer(self, waiting: dict[Key, list[asyncio.Future[Value | None]]]) -> None:
        """Answer who waits for these keys, each by one read for all of them, or by those that its halves take."""
        try:
            found = await self._read(list(waiting))
        except Exception as error:  # noqa: BLE001 - whatever the database says is the askers' to answer
            if len(waiting) == 1 or not isinstance(error, OF_DATA):
                for future in _open(waiting.values()):
                    future.set_exception(error)
                return
            keys = list(waiting)
            for half in keys[: len(keys) // 2], keys[len(keys) // 2 :]:
                await self._answer({key: waiting[key] for key in half})
            return
        for key, asked in waiting.items():
            for future in _open([asked]):
                future.set_result(found.get(key))


def _open(asked: Iterable[list[asyncio.Future[Value | None]]]) -> Iterator[asyncio.Future[Value | None]]:
    """Yield who still waits."""
    return (future for futures in asked for future in futures if not future.done())
