"""Sixteen writers on one order, at once: every version once and in order, for who asked for all of them (I2, I3)."""

from functools import partial

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from orders.services import order_write_note
from realtime.models import Event
from tests.following import following
from tests.people import Cast, cast
from tests.server import Server
from tests.threads import at_once

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")

WRITERS, NOTES = 16, 10


def write(people: Cast, name: int) -> None:
    for number in range(NOTES):
        order_write_note(order_id=people.order.pk, note=f"{name} says {number}", by=people.client)


async def test_every_version_comes_once_and_in_order(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    key, topics = people.order.pk, {"a": f"order:{people.order.pk}"}
    async with following(f"127.0.0.1:{standing_server.port}", people.manager, topics, "all") as follower:
        began = follower.versions(key)[-1]
        await sync_to_async(at_once)([partial(write, people, name) for name in range(WRITERS)])
        head = began + WRITERS * NOTES
        await follower.until_version(key, head)
        assert follower.versions(key) == list(range(began, head + 1))
        notes = [frame["note"] for frame in follower.said("order.update")[1:]]
        assert sorted(notes) == sorted(f"{name} says {number}" for name in range(WRITERS) for number in range(NOTES))
        log = await sync_to_async(lambda: list(Event.objects.filter(topic=f"order.{key}").order_by("version")))()
        assert [event.state["note"] for event in log[began:] if event.state] == notes
