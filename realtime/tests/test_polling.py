"""States with a tag, waiting for the next, boards by polling, history: masked, and refused without a word too many."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import AsyncClient
from pytest_django import Settings

from realtime import log
from realtime.batch import Batch
from realtime.hub import Hub
from realtime.models import Event
from realtime.quotas import Quotas
from realtime.testing.mirror import Mirror
from realtime.tests.asking import PATH, browser, wsgi
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, triggers, user
from realtime.tests.syncing import change, client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]

ODD = ["", "-1", "1e3", "%D9%A3", "9" * 400, "a%00b", "%FF", "..", "0", "00000000-0000-0000-0000-00000000000G"]


@pytest.fixture(autouse=True)
async def quiet_hub(settings: Settings) -> AsyncIterator[None]:
    settings.REALTIME = {**settings.REALTIME, "REFUSAL_SECONDS": 0.01}
    yield
    Hub.current().end()


async def post(asking: AsyncClient, body: Any, **more: Any) -> Any:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return await asking.post(f"{PATH}/sync", text, content_type="application/json", **more)


async def test_strangers_cannot_tell_a_record_from_none() -> None:
    record, stranger = await sync_to_async(delivery)(), await sync_to_async(user)()
    keys = [str(record.pk), "00000000-0000-0000-0000-000000000000", *ODD]
    async with browser(stranger) as asking, browser(None) as nobody:
        for what in ("state", "events", "stream", "state?wait=5"):
            answers = [await asking.get(f"{PATH}/{key}/{what}") for key in keys]
            assert {answer.status_code for answer in answers} == {404}
            assert len({answer.content for answer in answers}) == 1, what
            assert len({tuple(answer.headers.items()) for answer in answers}) == 1, what
            assert answers[0].json() == {
                "error": {"code": "not_found", "message": "There is no such delivery for you."}
            }
            unknown = [await nobody.get(f"{PATH}/{key}/{what}") for key in keys]
            assert {answer.status_code for answer in unknown} == {401}
            assert len({answer.content for answer in unknown}) == 1, what
        polls = [await post(asking, {"topic": f"delivery:{key}"}) for key in keys if "%" not in key and len(key) < 150]
        assert {answer.status_code for answer in polls} == {404}
        assert len({answer.content for answer in polls}) == 1
        assert (await post(nobody, {"topic": "deliveries:mine"})).status_code == 401


async def test_a_board_of_another_role_is_missing() -> None:
    async with browser(await sync_to_async(user)()) as asking:
        assert (await asking.get(f"{PATH}/stream?topic=all")).status_code == 404
        assert (await asking.get(f"{PATH}/stream?topic=nothing")).status_code == 404
        assert (await post(asking, {"topic": "deliveries:all"})).status_code == 404


async def test_a_refusal_leaves_at_its_time_whatever_the_reason(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "REFUSAL_SECONDS": 1.0}
    record, stranger = await sync_to_async(delivery)(), await sync_to_async(user)()
    loop = asyncio.get_running_loop()
    async with browser(stranger) as asking, browser(None) as nobody:
        for which, key in [(asking, record.pk), (asking, "x"), (nobody, record.pk)]:
            started = loop.time()
            await which.get(f"{PATH}/{key}/state")
            assert loop.time() - started >= 1.0


async def test_a_state_is_masked_and_the_bytes_are_those_of_the_socket() -> None:
    record = await sync_to_async(delivery)()
    for viewer, audience in [(record.sender, "sender"), (record.courier, "courier")]:
        async with browser(viewer) as asking:
            answer = await asking.get(f"{PATH}/{record.pk}/state")
            assert answer["ETag"] == f'"{await sync_to_async(log.epoch)()}:1:{audience}"'
            assert answer["Cache-Control"] == "private, no-store"
            polled = await post(asking, {"topic": f"delivery:{record.pk}"})
        async with client(viewer) as came:
            await came.subscribe("a", f"delivery:{record.pk}")
            (frame,) = [frame for frame in came.frames if frame["type"] == "delivery.update"]
        assert answer.json() == {key: value for key, value in frame.items() if key != "prev"}
        assert polled.content.count(answer.content[1:]) == 1, "the bytes are shared"
        assert (answer.json()["price"] is None) == (audience == "courier")


async def test_what_is_known_is_not_sent_again() -> None:
    record = await sync_to_async(delivery)()
    async with browser(record.sender) as asking, browser(record.courier) as other:
        address = f"{PATH}/{record.pk}/state"
        tag = (await asking.get(address))["ETag"]
        for known in (tag, f'"else", {tag}', "*"):
            answer = await asking.get(address, headers={"If-None-Match": known})
            assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
        assert (await other.get(address, headers={"If-None-Match": tag})).status_code == 200, "another audience's"
        assert (await asking.get(address, headers={"If-None-Match": f"x, {tag[1:-1]}"})).status_code == 200
        weak = await asking.get(address, headers={"If-None-Match": f'"other", W/{tag}'})
        assert weak.status_code == 304, "compared weakly, as RFC 9110 §13.1.2 wants it"
        await change(record, status="moving")
        answer = await asking.get(address, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.json()["status"]) == (200, "moving")
        await sync_to_async(log.rotate_epoch)()
        assert (await asking.get(address, headers={"If-None-Match": answer["ETag"]})).status_code == 200


async def waiting(asking: AsyncClient, record: Delivery) -> "asyncio.Task[Any]":
    """Ask for the next state; return when the hub has the one who waits."""
    address = f"{PATH}/{record.pk}/state"
    tag = (await asking.get(address))["ETag"]
    task = asyncio.create_task(asking.get(f"{address}?wait=60", headers={"If-None-Match": tag}))
    async with asyncio.timeout(30):
        while not any(not member.session.is_reading for member in Hub.current().members):
            await asyncio.sleep(0.01)
    return task


@triggers
@pytest.mark.parametrize("how", ["the ORM", "SQL"])
async def test_who_waits_is_woken_by_a_change(settings: Settings, how: str) -> None:
    settings.REALTIME = {**settings.REALTIME, "WAIT_SECONDS": 60.0}
    record = await sync_to_async(delivery)()

    @sync_to_async
    def by_sql() -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE deliveries_delivery SET status = 'moving' WHERE id = %s", [record.pk])

    async with browser(record.sender) as asking:
        task = await waiting(asking, record)
        await (by_sql() if how == "SQL" else change(record, status="moving"))
        answer = await asyncio.wait_for(task, 30)
        assert (answer.status_code, answer.json()["status"]) == (200, "moving")
    assert not Hub.current().members


async def test_who_waits_for_what_is_taken_from_him_is_told_what_a_stranger_is() -> None:
    record = await sync_to_async(delivery)()
    async with browser(record.courier) as asking:
        task = await waiting(asking, record)
        await change(record, courier=await sync_to_async(user)())
        assert (await asyncio.wait_for(task, 30)).status_code == 404


async def test_who_waits_in_vain_is_told_so_and_a_drain_ends_it(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "WAIT_SECONDS": 0.2}
    record = await sync_to_async(delivery)()
    async with browser(record.sender) as asking:
        assert (await (await waiting(asking, record))).status_code == 304
        settings.REALTIME = {**settings.REALTIME, "WAIT_SECONDS": 60.0}
        task = await waiting(asking, record)
        Hub.current().drain()
        assert (await asyncio.wait_for(task, 30)).status_code == 304


async def test_who_waits_and_leaves_is_forgotten() -> None:
    record = await sync_to_async(delivery)()
    async with browser(record.sender) as asking:
        task = await waiting(asking, record)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not Hub.current().members


class Blind(Mirror):
    """Takes whatever comes: here the other end of the comparison judges."""

    def take(self, frame: Any) -> None: ...


@pytest.mark.parametrize("mode", ["latest", "all"])
async def test_a_poll_of_a_record_is_told_what_a_socket_is(mode: str) -> None:
    record = await sync_to_async(delivery)()
    for number in range(4):
        await change(record, status=f"stop {number}")
    epoch = await sync_to_async(log.epoch)()
    cursors = [{"epoch": epoch, "versions": {str(record.pk): held}} for held in range(8)]
    cursors += [{"epoch": "another", "versions": {str(record.pk): 3}}]
    async with browser(record.courier) as asking, client(record.courier, Blind(DeliveryFeed)) as socket:
        for have in [None, *cursors]:
            question = {"topic": f"delivery:{record.pk}", "mode": mode, "have": have}
            answer = (await post(asking, question)).json()
            frames = await socket.subscribe("a", f"delivery:{record.pk}", mode=mode, **({"have": have} if have else {}))
            assert answer["deliveries"] == [frame for frame in frames if frame["type"] == "delivery.update"]
            assert (answer["recovered"], answer["reason"]) == (frames[0]["recovered"], frames[0]["reason"])
            assert answer["synced"] == frames[-1]["deliveries"]
            assert answer["epoch"] == epoch
            await socket.socket.say(type="unsubscribe", id="a")
    assert not Hub.current().members


async def test_a_board_is_followed_by_polling() -> None:
    me = await sync_to_async(user)()
    records = await sync_to_async(lambda: [delivery(sender=me) for _ in range(5)])()
    async with browser(me) as asking:
        first = (await post(asking, {"topic": "mine"})).json()
        assert (len(first["deliveries"]), first["total"], first["removed"]) == (5, 5, [])
        have = {"epoch": first["epoch"], "versions": first["synced"]}
        assert (await post(asking, {"topic": "deliveries:mine", "have": have})).json()["deliveries"] == []
        await change(records[0], status="moving")
        await change(records[1], sender=await sync_to_async(user)())
        second = (await post(asking, {"topic": "deliveries:mine", "have": have})).json()
        assert [(f["delivery_id"], f["version"]) for f in second["deliveries"]] == [(str(records[0].pk), 2)]
        assert second["removed"] == [{"delivery_id": str(records[1].pk), "reason": "forbidden"}]
        assert second["recovered"]
        filtered = await post(asking, {"topic": "mine", "filter": {"status": "moving"}, "limit": 1})
        assert len(filtered.json()["deliveries"]) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", "bad_json"), ("NaN", "bad_json"), ("[1]", "bad_request"), ("{}", "bad_request"),
        ({"topic": 5}, "bad_request"), ({"topic": [1]}, "bad_request"),
        ({"topic": "orders:mine"}, "unknown_topic"), ({"topic": ""}, "unknown_topic"),
        ({"topic": "mine", "limit": 0}, "bad_request"), ({"topic": "mine", "limit": 1e9}, "bad_request"),
        ({"topic": "mine", "filter": {"price": 1}}, "bad_filter"),
        ({"topic": "mine", "filter": {"status": 5}}, "bad_filter"),
        ({"topic": "mine", "filter": {"status": [{}]}}, "bad_request"), ({"topic": "mine", "mode": "all"}, "bad_frame"),
        ({"topic": "mine", "have": {"epoch": "a"}}, "bad_request"),
        ({"topic": "mine", "have": {"epoch": "a", "versions": {"x": -1}}}, "bad_request"),
        ("[" * 5000 + "]" * 5000, "bad_json"), (b"\xff\xfe", "bad_json"), ('{"topic": "\\ud800"}', "bad_json"),
        ({"topic": "mine", "x": "y" * 70_000}, "too_big"),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_told_what_can(body: Any, code: str) -> None:
    async with browser(await sync_to_async(user)()) as asking:
        answer = await post(asking, body)
        assert answer.json()["error"]["code"] == code
        assert answer.status_code == (413 if code == "too_big" else 400)
        assert len(answer.json()["error"]["message"]) > 10


@pytest.mark.parametrize(
    "query",
    ["state?wait=x", "state?wait=-1", "state?wait=1.5", "state?wait=%D9%A3", "events?after=-1", "events?limit=1e3",
     f"events?after={'9' * 30}", "state?wait="],
)  # fmt: skip
async def test_a_number_that_is_none_is_refused(query: str) -> None:
    record = await sync_to_async(delivery)()
    async with browser(record.sender) as asking:
        answer = await asking.get(f"{PATH}/{record.pk}/{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_parameter")


async def test_another_method_is_told_which() -> None:
    record = await sync_to_async(delivery)()
    async with browser(record.sender) as asking:
        answer = await asking.post(f"{PATH}/{record.pk}/state")
        assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
        assert (await asking.get(f"{PATH}/sync")).status_code == 405


async def test_a_post_without_its_token_is_refused() -> None:
    asking = AsyncClient(enforce_csrf_checks=True)
    await asking.aforce_login(await sync_to_async(user)())
    assert (await post(asking, {"topic": "mine"})).status_code == 403


async def test_history_page_by_page_as_one_may_read_it() -> None:
    record = await sync_to_async(delivery)()
    for number in range(4):
        await change(record, status=f"stop {number}", price=20 + number)
    async with browser(record.courier) as asking:
        address = f"{PATH}/{record.pk}/events"
        versions: list[int] = []
        after, page = 0, {}
        for _ in range(3):
            page = (await asking.get(f"{address}?after={after}&limit=2")).json()
            versions += [event["version"] for event in page["events"]]
            assert "price" not in str([event["changes"] for event in page["events"]])
            assert {event["frame"]["price"] for event in page["events"]} == {None}
            after = page["next"]
        assert versions == [1, 2, 3, 4, 5]
        assert (page["next"], page["floor"]) == (None, 1)
        assert (await asking.get(f"{address}?after=5")).json()["events"] == []
        successor = await sync_to_async(user)()
        await change(record, courier=successor, status="handed over")
        assert (await asking.get(address)).status_code == 404
    async with browser(successor) as asking:
        events = (await asking.get(address)).json()["events"]
        assert [event["version"] for event in events] == [6], "from his assignment on"
        assert "before" not in events[0]["changes"][0], "what was before is not his"
    await sync_to_async(Event.objects.filter(topic=DeliveryFeed.topic(record.pk), version__lte=3).delete)()
    async with browser(record.sender) as asking:
        page = (await asking.get(address)).json()
        assert (page["events"][0]["version"], page["floor"]) == (4, 4)


@sync_to_async
def asked_over_wsgi(record: Delivery) -> None:
    asking, address = wsgi(record.sender), f"{PATH}/{record.pk}"
    state = asking.get(f"{address}/state")
    assert state.json()["status"] == "waiting"
    known = {"If-None-Match": state["ETag"]}
    assert asking.get(f"{address}/state?wait=25", headers=known).status_code == 304, "at once"
    assert len(asking.get(f"{address}/events").json()["events"]) == 1
    polled = asking.post(f"{PATH}/sync", {"topic": "mine"}, content_type="application/json")
    assert polled.json()["total"] == 1
    for stream in (f"{address}/stream", f"{PATH}/stream?topic=mine"):
        answer = asking.get(stream)
        assert answer.status_code == 501
        assert "ASGI" in answer.json()["error"]["message"]


async def test_without_asgi_polls_answer_at_once_and_streams_say_what_is_missing() -> None:
    await asked_over_wsgi(await sync_to_async(delivery)())


async def test_a_poll_does_not_wait_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batch, "TOGETHER", 60.0)
    record = await sync_to_async(delivery)()
    async with browser(record.sender) as person, asyncio.timeout(30):
        assert (await person.get(f"/api/deliveries/{record.pk}/state")).status_code == 200


@pytest.mark.parametrize("path", ["stream", "state?wait=1"])
async def test_a_page_of_another_site_cannot_use_up_its_visitors_address(path: str) -> None:
    record = await sync_to_async(delivery)()
    before = Quotas.current().places
    async with browser(None) as image:
        answer = await image.get(f"/api/deliveries/{record.pk}/{path}", headers={"sec-fetch-site": "cross-site"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign")
    assert Quotas.current().places == before
