"""Records for boards: made, found on them, and told of late."""

from typing import Any

from asgiref.sync import sync_to_async

from realtime import log
from realtime.hub import Hub
from realtime.models import Event
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery
from realtime.tests.syncing import Client


@sync_to_async
def several(number: int, **values: Any) -> list[Delivery]:
    return [delivery(**values) for _ in range(number)]


def on(viewer: Client, name: str = "b") -> set[str]:
    return set(viewer.mirror.boards[name])


def keys(*records: Delivery) -> set[str]:
    return {str(record.pk) for record in records}


async def late_hint(record: Delivery, version: int) -> None:
    """Bring what the bus has kept back: an old version, after newer ones were committed."""

    @sync_to_async
    def update() -> Any:
        return log.update_of(Event.objects.get(topic=DeliveryFeed.topic(record.pk), version=version))

    Hub.current().deliver(await update())
