"""A host whose clock is years off writes and serves like any other: no clock decides the order of anything (I18)."""

import datetime
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from orders.services import order_write_note
from realtime.capture import postgres
from realtime.models import Event
from tests.following import following
from tests.people import Cast, cast
from tests.server import Server

YEARS = datetime.timedelta(days=3650)


def written(people: Cast, text: str, off: datetime.timedelta) -> None:
    """Write on a host whose clock is ``off``."""
    now = timezone.now() + off
    with mock.patch.object(timezone, "now", return_value=now):
        order_write_note(order_id=people.order.pk, note=text, by=people.client)


@pytest.mark.parametrize("capture", ["auto", "orm"])
async def test_versions_follow_commits_whatever_the_clocks_say(standing_server: Server, capture: str) -> None:
    people = await sync_to_async(cast)()
    key, host = people.order.pk, f"127.0.0.1:{standing_server.port}"
    topics = {"a": f"order:{key}"}
    by_orm = capture == "orm" and connection.vendor == "postgresql"
    with override_settings(REALTIME=settings.REALTIME | {"CAPTURE": capture}):
        if by_orm:
            await sync_to_async(postgres.remove)("default")
        try:
            async with following(host, people.client, topics, "all") as first:
                began = first.versions(key)[-1]
                for number, off in enumerate([YEARS, -YEARS, YEARS * 2, -YEARS * 2, YEARS * 0]):
                    await sync_to_async(written)(people, f"note {number}", off)
                await first.until_version(key, began + 5)
            async with following(host, people.client, topics, "all", mirror=first.mirror) as again:
                await sync_to_async(written)(people, "the last", -YEARS)
                await again.until_version(key, began + 6)
        finally:
            if by_orm:
                await sync_to_async(postgres.install)("default")
    came = [*first.versions(key), *again.versions(key)]
    assert came == list(range(began, began + 7))
    notes = [frame["note"] for frame in (*first.frames, *again.frames) if frame["type"] == "order.update"]
    assert notes[1:] == [*(f"note {number}" for number in range(5)), "the last"]
    settled = await sync_to_async(lambda: list(Event.objects.filter(topic=f"order.{key}").order_by("version")))()
    assert [event.version for event in settled] == list(range(1, began + 7))
