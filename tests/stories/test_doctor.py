"""``realtime_doctor`` beside a running server and people who play: all is well, and nobody notices."""

import json
from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connection

from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_report
from orders.services import order_finish, order_write_note
from realtime.models import Event
from tests.people import Cast, cast, order_of
from tests.server import Server, unbroken
from tests.threads import at_once

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="probes are for triggers")


def examined() -> list[dict[str, str]]:
    said = StringIO()
    call_command("realtime_doctor", "--json", stdout=said)
    return [finding for finding in json.loads(said.getvalue()) if "delivery" not in finding["what"]]


def played(people: Cast) -> None:
    """Write the very rows that the doctor tries: the first order, and the newest of the ledger."""
    for number in range(30):
        order_write_note(order_id=people.order.pk, note=f"note {number}", by=people.client)
    division_order_report(order_id=people.order.pk, reached=Position("Diamond", 1, 0), by=people.booster)
    order_finish(order_id=people.order.pk, by=people.booster)


async def test_beside_a_running_server_all_is_ok_and_nobody_notices(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    findings: list[dict[str, str]] = []
    path, topic = f"/ws/orders/{people.order.pk}/", f"order.{people.order.pk}"
    async with standing_server.watch(path, people.client) as client:
        await client.next()
        works = [lambda: findings.extend(examined()), lambda: played(people)]
        await sync_to_async(at_once)(works)
        last = await client.until((await sync_to_async(Event.objects.filter(topic=topic).latest)("version")).version)
        unbroken(client.frames)
    assert [finding["what"] for finding in findings if finding["level"] != "ok"] == []
    assert last["status"] == "Done"
    assert last["version"] == await sync_to_async(Event.objects.filter(topic=topic).count)()
    assert {frame["note"] for frame in client.frames} <= {"Evenings, please.", *(f"note {n}" for n in range(30))}
    # And with rows in every place, each way to write was tried.
    await sync_to_async(order_of)(people.client)
    again = await sync_to_async(examined)()
    tried = {finding["what"].split()[1].strip(":") for finding in again if "seen: save" in finding["what"]}
    assert tried == {"orders_baseorder", "DivisionOrderPart", "PaymentPart", "PayoutPart"}
