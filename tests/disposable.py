"""A server and a test on a Valkey that may be ill-treated, and what is written meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import override_settings

from gameBoosterss.development.engines import Valkey
from orders.services import order_write_note
from realtime.models import Event
from tests.engines import child_environment, own_valkey
from tests.people import Cast
from tests.server import Server, running


@dataclass
class House:
    """A server and the test's own process on a Valkey that may be ill-treated."""

    server: Server
    valkey: Valkey

    def command(self, *words: str) -> Any:
        with redis.Redis.from_url(self.valkey.url) as client:
            return client.execute_command(*words)


@contextmanager
def housed(folder: Path) -> Iterator[House]:
    """Run a server on a Valkey of its own, and have this process use that too."""
    with own_valkey() as valkey:
        layers = {"default": dict(settings.CHANNEL_LAYERS["default"])}
        layers["default"]["CONFIG"] = layers["default"]["CONFIG"] | {"hosts": [valkey.url]}
        with (
            override_settings(CHANNEL_LAYERS=layers),
            running(folder, child_environment() | {"REDIS_URL": valkey.url}) as server,
        ):
            yield House(server, valkey)
            if not valkey.running:
                valkey.start()


def written(people: Cast, text: str) -> None:
    order_write_note(order_id=people.order.pk, note=text, by=people.client)


async def write(people: Cast, *texts: str) -> None:
    for text in texts:
        await sync_to_async(written)(people, text)


@sync_to_async
def head_of(people: Cast) -> int:
    return Event.objects.filter(topic=f"order.{people.order.pk}").latest("version").version
