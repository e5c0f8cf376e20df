"""A restored backup, then ``realtime_rotate_epoch``: every viewer of a running server gets the state that is there."""

from io import StringIO

from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connection

from orders.models import BaseOrder
from orders.services import order_write_note
from realtime.models import Event, Stream
from tests.people import Cast, cast
from tests.server import Server


def written(people: Cast, note: str) -> None:
    order_write_note(order_id=people.order.pk, note=note, by=people.client)


def restored(people: Cast, version: int) -> None:
    """Put the order and its log back to ``version``, with triggers off, and rotate as the page on backups says."""
    topic = f"order.{people.order.pk}"
    state = Event.objects.get(topic=topic, version=version).state
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica" if connection.vendor == "postgresql" else "SELECT 1")
        BaseOrder.objects.filter(pk=people.order.pk).update(note=(state or {})["note"])
        Event.objects.filter(topic=topic, version__gt=version).delete()
        Stream.objects.filter(topic=topic).update(version=version, state=state)
        cursor.execute("RESET session_replication_role" if connection.vendor == "postgresql" else "SELECT 1")
    call_command("realtime_rotate_epoch", "--yes", stdout=StringIO())


async def test_sockets_that_know_more_than_the_database_start_afresh(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    path = f"/ws/orders/{people.order.pk}/"
    async with (
        standing_server.watch(path, people.client) as client,
        standing_server.watch(path, people.booster) as booster,
    ):
        began = (await client.next())["version"]
        await booster.next()
        for note in ("one", "two", "three"):
            await sync_to_async(written)(people, note)
        await client.until(began + 3)
        await booster.until(began + 3)
        await sync_to_async(restored)(people, began + 1)
        assert await client.closed() == await booster.closed() == 4012
    async with standing_server.watch(path, people.client) as client:
        frame = await client.next()
        assert (frame["version"], frame["note"], frame["prev"]) == (began + 1, "one", None)
        await sync_to_async(written)(people, "another two")
        frame = await client.next()
        assert (frame["version"], frame["note"]) == (began + 2, "another two")
