"""A client of the sync dialect on a real server that comes back by itself with ``have``; its mirror is the judge."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import websockets
from asgiref.sync import sync_to_async

from accounts.models import User
from orders.feeds import OrderFeed
from realtime.testing.mirror import Mirror
from tests.server import PATIENCE, session_of

PROTOCOL = websockets.Subprotocol("order-sync.v1")


class Follower:
    """Follows ``topics``, by the ids that he chose. A frame that breaks the protocol fails ``until`` and the end."""

    def __init__(self, host: str, session: str, topics: dict[str, str], mode: str = "latest", **more: Any) -> None:
        self.host, self.session, self.topics, self.mode, self.more = host, session, topics, mode, more
        self.mirror = Mirror(OrderFeed)
        self.frames: list[dict[str, Any]] = []
        self.codes: list[int | None] = []
        """How each socket ended; ``None``: without a close frame."""
        self._news = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self.is_patient = False
        """Whether he does not come back."""

    def versions(self, key: int) -> list[int]:
        """Return the versions of an order in the order in which they came."""
        return [f["version"] for f in self.frames if f["type"] == "order.update" and f["order_id"] == key]

    def said(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == kind]

    async def until(self, condition: Any, what: str = "") -> None:
        """Wait until ``condition()`` holds; looked at with every frame and every loss."""
        async with asyncio.timeout(PATIENCE * 2), self._news:
            while not condition():
                if self._task is not None and self._task.done():
                    self._task.result()
                    raise AssertionError(f"he has ended before {what or condition}: {self.frames[-3:]}")
                await self._news.wait()

    async def until_version(self, key: int, version: int) -> None:
        await self.until(lambda: self.mirror.records.get(str(key), {}).get("version", -1) >= version, f"v{version}")

    async def run(self) -> None:
        """Come, read, lose the line, and come again."""
        try:
            while not (self.is_patient and self.codes):
                await self._socket()
                await self._tell()
                await asyncio.sleep(0.1)
        finally:
            await self._tell()

    async def _socket(self) -> None:
        headers = {"Cookie": f"sessionid={self.session}"}
        with suppress(OSError, websockets.InvalidHandshake, TimeoutError):
            async with websockets.connect(
                f"ws://{self.host}/ws/orders/",
                additional_headers=headers,
                origin=websockets.Origin(f"http://{self.host}"),
                subprotocols=[PROTOCOL],
                compression=None,
                open_timeout=5,
                ping_interval=1,
                ping_timeout=5,
                close_timeout=1,
            ) as socket:
                have = self.mirror.have() if self.mirror.records else None
                for chosen, topic in self.topics.items():
                    said = {"type": "subscribe", "id": chosen, "topic": topic, "mode": self.mode, **self.more}
                    await socket.send(json.dumps(said | ({"have": have} if have else {})))
                try:
                    while True:
                        await self._take(json.loads(await socket.recv()))
                except websockets.ConnectionClosed as closed:
                    self.codes.append(closed.rcvd.code if closed.rcvd else None)

    async def _take(self, frame: dict[str, Any]) -> None:
        self.frames.append(frame)
        self.mirror.take(frame)
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def following(
    host: str, user: User, topics: dict[str, str], mode: str = "latest", **more: Any
) -> AsyncIterator[Follower]:
    """Follow until the end of the block; fail there with what the mirror found wrong."""
    follower = Follower(host, await sync_to_async(session_of)(user), topics, mode, **more)
    follower._task = asyncio.create_task(follower.run())
    try:
        await follower.until(lambda: len(follower.said("synced")) >= len(topics), "synced")
        yield follower
    finally:
        follower._task.cancel()
        with suppress(asyncio.CancelledError):
            await follower._task
