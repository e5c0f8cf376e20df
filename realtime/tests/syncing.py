"""A client of the sync dialect for tests: a socket, and the mirror that judges every frame of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async

from realtime.testing import Socket, connect_as
from realtime.testing.mirror import Mirror
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import user

PATH, PROTOCOL = "/ws/deliveries/", "delivery-sync.v1"


class Client:
    """One viewer: ``until`` reads on, and the mirror takes what comes."""

    def __init__(self, socket: Socket, mirror: Mirror) -> None:
        self.socket, self.mirror = socket, mirror

    @property
    def frames(self) -> list[dict[str, Any]]:
        return self.socket.frames

    async def subscribe(self, name: str, topic: str, **more: Any) -> list[dict[str, Any]]:
        """Subscribe; return the frames from ``subscribed``, or ``error``, to ``synced``."""
        began = len(self.frames)
        await self.socket.say(type="subscribe", id=name, topic=topic, **more)
        await self.until(lambda frame: frame["type"] in ("synced", "error") and frame.get("id") == name)
        return self.frames[began:]

    async def until(self, wanted: Any) -> dict[str, Any]:
        """Return the first new frame that fulfils ``wanted``."""
        while True:
            frame = await self.socket.next()
            self.mirror.take(frame)
            if wanted(frame):
                return frame

    async def until_type(self, kind: str, **values: Any) -> dict[str, Any]:
        return await self.until(
            lambda frame: frame["type"] == kind and all(frame.get(name) == value for name, value in values.items())
        )


@asynccontextmanager
async def client(viewer: Any, mirror: Mirror | None = None, path: str = PATH) -> AsyncIterator[Client]:
    """Open a socket of the sync dialect as ``viewer`` and read its welcome."""
    async with connect_as(viewer, path, protocol=PROTOCOL) as socket:
        found = Client(socket, mirror or Mirror(DeliveryFeed))
        await found.until_type("welcome")
        yield found


def auditor() -> Any:
    """Return somebody who sees every delivery."""
    found = user()
    found.role = "auditor"
    return found


@sync_to_async
def change(record: Delivery, **values: Any) -> None:
    """Save other values of ``record``."""
    for name, value in values.items():
        setattr(record, name, value)
    record.save()
