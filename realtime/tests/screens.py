"""Screens that watch a record through the hub, and a bus that loses what it carries or stands still."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async

from realtime.brokers.memory import MemoryBroker
from realtime.feeds import Viewer
from realtime.hub import Hub
from realtime.member import Member
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery


class Lossy(MemoryBroker):
    """Loses every hint while ``loses`` is set; nonces pass. Takes nothing and says nothing while it ``hangs``."""

    loses = False
    hangs = False

    async def publish(self, group: int, body: str) -> None:
        while self.hangs:
            await asyncio.sleep(0.01)
        if not (self.loses and '"type":"hints"' in body):
            await super().publish(group, body)


class Screen:
    """A viewer's sink; writing waits while ``stalled`` is set."""

    def __init__(self, viewer: Viewer) -> None:
        self.member: Member = Member(viewer, self, DeliveryFeed)
        self.frames: list[dict[str, Any]] = []
        self.code: int | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, text: str) -> None:
        await self.open.wait()
        self.frames.append(json.loads(text))

    async def close(self, code: int) -> None:
        self.code = int(code)

    def versions(self) -> list[int]:
        return [frame["version"] for frame in self.frames]


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@sync_to_async
def made() -> Delivery:
    return delivery()


@sync_to_async
def save(record: Delivery, **values: Any) -> None:
    for name, value in values.items():
        setattr(record, name, value)
    record.save()


async def watching(record: Delivery, *, as_: str = "sender", snapshot: bool = True) -> Screen:
    screen = Screen(Viewer(getattr(record, f"{as_}_id")))
    assert await Hub.current().join(screen.member, DeliveryFeed.topic(record.pk), snapshot=snapshot)
    return screen
