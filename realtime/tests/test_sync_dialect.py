"""The sync dialect on one socket: who gets a topic, what a topic gets, and what the server answers to nonsense."""

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db.models.functions import Now
from pytest_django import Settings

from realtime.capture.base import plain
from realtime.gateways.opening import Opening
from realtime.hub import Hub
from realtime.models import Epoch
from realtime.testing import connect_as
from realtime.tests.people import delivery, user
from realtime.tests.syncing import PATH, PROTOCOL, auditor, change, client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older]


async def test_a_stranger_and_a_missing_record_get_the_same_answer() -> None:
    record = await sync_to_async(delivery)()
    stranger = await sync_to_async(user)()
    async with client(stranger) as viewer:
        foreign = await viewer.subscribe("a", f"delivery:{record.pk}")
        missing = await viewer.subscribe("a", "delivery:00000000-0000-4000-8000-000000000000")
        no_key = await viewer.subscribe("a", "delivery:seven")
        assert foreign == missing == no_key
        assert [frame["code"] for frame in foreign] == ["not_found"]
        await change(record, status="moving")
        await viewer.socket.say(type="ping", n=1)
        await viewer.until_type("pong", n=1)
        assert not Hub.current().topics()


async def test_nobody_is_not_welcomed(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "AUTH_SECONDS": 0.5}
    async with connect_as(None, PATH, protocol=PROTOCOL) as socket:
        assert await socket.closed() == 4401
        assert [(frame["type"], frame["code"], frame["reconnect"]) for frame in socket.frames] == [
            ("goodbye", 4401, False)
        ]


async def test_all_records_are_not_for_the_plain_dialect() -> None:
    someone = await sync_to_async(user)()
    async with connect_as(someone, PATH) as socket:
        assert await socket.closed() == 4400


async def test_a_record_is_sent_then_each_version_masked_for_its_viewer() -> None:
    record = await sync_to_async(delivery)()
    async with client(record.courier) as viewer:
        subscribed, state, synced = await viewer.subscribe("a", f"delivery:{record.pk}")
        assert subscribed == {
            "type": "subscribed",
            "id": "a",
            "topic": f"delivery:{record.pk}",
            "recovered": False,
            "reason": None,
        }
        assert (state["type"], state["version"], state["price"], state["masked"]) == (
            "delivery.update",
            1,
            None,
            ["price"],
        )
        assert synced == {"type": "synced", "id": "a", "deliveries": {str(record.pk): 1}, "total": 1}
        await change(record, status="moving")
        frame = await viewer.until_type("delivery.update", version=2)
        assert (frame["status"], frame["changed"]) == ("moving", ["status"])


async def test_the_address_of_a_record_is_a_subscription_to_it() -> None:
    record = await sync_to_async(delivery)()
    async with client(record.sender, path=f"{PATH}{record.pk}/") as viewer:
        await viewer.until_type("synced", id="delivery")
        assert viewer.mirror.records[str(record.pk)]["version"] == 1


async def test_who_loses_a_record_is_told_and_gets_nothing_more_of_it() -> None:
    record, other = await sync_to_async(delivery)(), await sync_to_async(user)()
    async with client(record.courier) as viewer:
        await viewer.subscribe("a", f"delivery:{record.pk}")
        await change(record, courier=other)
        await viewer.until_type("revoked", id="a", reason="reassigned")
        await change(record, status="with another")
        await viewer.socket.say(type="ping", n=1)
        await viewer.until_type("pong")
        assert not [frame for frame in viewer.frames if frame.get("version", 0) > 1]
        assert (await viewer.subscribe("a", f"delivery:{record.pk}"))[0]["code"] == "not_found"


async def test_a_deleted_record_is_said_to_be_deleted() -> None:
    record = await sync_to_async(delivery)()
    async with client(record.sender) as viewer:
        await viewer.subscribe("a", f"delivery:{record.pk}")
        await sync_to_async(record.delete)()
        await viewer.until_type("revoked", id="a", reason="deleted")


async def test_a_socket_has_a_record_once_however_many_topics_cover_it() -> None:
    record = await sync_to_async(delivery)()
    async with client(record.sender) as viewer:
        await viewer.subscribe("a", f"delivery:{record.pk}")
        again = await viewer.subscribe("b", f"delivery:{record.pk}")
        board = await viewer.subscribe("c", "deliveries:mine")
        assert [frame["type"] for frame in again] == [frame["type"] for frame in board] == ["subscribed", "synced"]
        await change(record, status="moving")
        await viewer.until_type("delivery.update", version=2)
        for name in ("a", "c"):
            await viewer.socket.say(type="unsubscribe", id=name)
        await change(record, status="there")
        await viewer.until_type("delivery.update", version=3)
        await viewer.socket.say(type="unsubscribe", id="b")
        await viewer.socket.say(type="ping", n=1)
        await viewer.until_type("pong")
        assert not Hub.current().topics()


async def test_what_is_not_a_frame_ends_the_socket() -> None:
    someone = await sync_to_async(user)()
    for text in ("[]", "7", "{", "[" * 1000, '{"type": NaN}', '"hello"', ""):
        async with connect_as(someone, PATH, protocol=PROTOCOL) as socket:
            await socket.send(text)
            assert await socket.closed() == 4400, text
            goodbye = socket.frames[-1]
            assert (goodbye["type"], goodbye["code"], goodbye["reconnect"]) == ("goodbye", 4400, False)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "bad_frame"),
    ({"type": None}, "bad_frame"),
    ({"type": "subscribe"}, "bad_frame"),
    ({"type": "subscribe", "id": "", "topic": "deliveries:mine"}, "bad_frame"),
    ({"type": "subscribe", "id": "a" * 65, "topic": "deliveries:mine"}, "bad_frame"),
    ({"type": "subscribe", "id": "a", "topic": 7}, "bad_frame"),
    ({"type": "subscribe", "id": "a", "topic": "deliveries:mine", "limit": 0}, "bad_frame"),
    ({"type": "subscribe", "id": "a", "topic": "deliveries:mine", "limit": 1001}, "bad_frame"),
    ({"type": "subscribe", "id": "a", "topic": "deliveries:mine", "limit": 1e300}, "bad_frame"),
    ({"type": "subscribe", "id": "a", "topic": "deliveries:mine", "mode": "all"}, "bad_frame"),
    ({"type": "subscribe", "id": "a", "topic": "deliveries:mine", "have": {"epoch": 1, "versions": {}}}, "bad_frame"),
    (
        {"type": "subscribe", "id": "a", "topic": "deliveries:mine", "have": {"epoch": "", "versions": {"1": -1}}},
        "bad_frame",
    ),
    ({"type": "subscribe", "id": "a", "topic": "deliveries:mine", "filter": {"price": "1"}}, "bad_filter"),
    ({"type": "subscribe", "id": "a", "topic": "deliveries:mine", "filter": {"status": 7}}, "bad_filter"),
    ({"type": "subscribe", "id": "a", "topic": "deliveries:mine", "filter": {"status": []}}, "bad_filter"),
    ({"type": "subscribe", "id": "a", "topic": "deliveries:all"}, "forbidden"),
    ({"type": "subscribe", "id": "a", "topic": "deliveries:none"}, "forbidden"),
    ({"type": "subscribe", "id": "a", "topic": "orders:mine"}, "unknown_topic"),
    ({"type": "subscribe", "id": "a", "topic": ""}, "unknown_topic"),
    ({"type": "unsubscribe", "id": "a"}, "unknown_id"),
    ({"type": "ping", "n": "one"}, "bad_frame"),
    ({"type": "ping", "n": 2**70}, "bad_frame"),
]


async def test_a_wrong_frame_is_answered_and_the_socket_stays() -> None:
    someone = await sync_to_async(user)()
    async with client(someone) as viewer:
        for frame, code in REFUSED:
            await viewer.socket.say(**frame)
            error = await viewer.until_type("error")
            assert (error["code"], error["temporary"]) == (code, False), frame
        await viewer.socket.say(type="unheard of", n=1)
        await viewer.socket.say(type="ping", n=2, later="ignored")
        assert (await viewer.until(lambda frame: True)) == {"type": "pong", "n": 2}
        assert not viewer.mirror.boards


async def test_topics_are_limited_and_ids_are_unique(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "RECORDS_AT_MOST": 1, "BOARDS_AT_MOST": 1}
    record = await sync_to_async(delivery)()
    async with client(record.sender) as viewer:
        await viewer.subscribe("a", f"delivery:{record.pk}")
        await viewer.subscribe("b", "deliveries:mine")
        for name, topic, code in (
            ("a", f"delivery:{record.pk}", "duplicate_id"),
            ("c", f"delivery:{record.pk}", "limit"),
            ("d", "deliveries:carried", "limit"),
        ):
            await viewer.socket.say(type="subscribe", id=name, topic=topic)
            error = await viewer.until_type("error")
            assert (error["id"], error["code"]) == (name, code)


async def test_a_frame_that_is_too_big_ends_the_socket(settings: Settings) -> None:
    someone = await sync_to_async(user)()
    settings.REALTIME = {**settings.REALTIME, "FRAME_BYTES": 200, "SUBSCRIBE_BYTES": 2000}
    for frame in (
        {"type": "ping", "n": 1, "more": "x" * 300},
        {"type": "ping", "n": 1, "more": "ü" * 120},  # 200 bytes, not 200 letters
        {"type": "ping", "n": "no number", "more": "x" * 300},
        {"type": "subscribe", "more": "x" * 3000},
    ):
        async with connect_as(someone, PATH, protocol=PROTOCOL) as socket:
            await socket.send(json.dumps(frame, ensure_ascii=False))
            assert await socket.closed() == 1009
            assert socket.frames[-1]["code"] == 1009
    async with client(someone) as viewer:
        frames = await viewer.subscribe("a", "deliveries:mine", more="x" * 300)
        assert [frame["type"] for frame in frames] == ["subscribed", "synced"]


async def test_every_end_is_said_before_it_comes(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "INBOUND_BURST": 3}
    someone = await sync_to_async(user)()
    async with connect_as(someone, PATH, protocol=PROTOCOL) as socket:
        await socket.send_bytes(b"{}")
        assert await socket.closed() == 4400
        assert socket.frames[-1]["code"] == 4400
    async with connect_as(someone, PATH, protocol=PROTOCOL) as socket:
        for n in range(20):
            await socket.say(type="ping", n=n)
        assert await socket.closed() == 4429
        goodbye = socket.frames[-1]
        assert (goodbye["code"], goodbye["reconnect"], goodbye["retry_after_ms"]) == (4429, True, 5000)
        assert [frame["n"] for frame in socket.frames if frame["type"] == "pong"] == [0, 1, 2]
    async with connect_as(someone, PATH, protocol=PROTOCOL) as socket:
        await socket.say(type="auth", ticket="nobody gave it")
        assert await socket.closed() == 4401
        assert socket.frames[-1]["code"] == 4401


async def test_what_fails_here_is_an_end_and_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    record = await sync_to_async(delivery)()

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with client(record.sender) as viewer:
        monkeypatch.setattr(Opening, "record", broken)
        await viewer.socket.say(type="subscribe", id="a", topic=f"delivery:{record.pk}")
        assert await viewer.socket.closed() == 4500
        assert viewer.frames[-1]["reconnect"]


async def test_an_id_is_in_use_until_its_topic_is_answered() -> None:
    record = await sync_to_async(delivery)()
    async with client(record.sender) as viewer:
        await viewer.socket.say(type="subscribe", id="a", topic="delivery:seven")
        await viewer.socket.say(type="subscribe", id="a", topic=f"delivery:{record.pk}")
        assert (await viewer.until_type("error", id="a"))["code"] == "duplicate_id"
        assert (await viewer.until_type("error", id="a"))["code"] == "not_found"
        assert (await viewer.subscribe("a", f"delivery:{record.pk}"))[-1]["type"] == "synced"


async def test_an_id_that_was_unsubscribed_is_free_at_once() -> None:
    record = await sync_to_async(delivery)()
    async with client(record.sender) as viewer:
        for _ in range(5):
            await viewer.socket.say(type="subscribe", id="a", topic=f"delivery:{record.pk}")
            await viewer.socket.say(type="unsubscribe", id="a")
        await viewer.subscribe("a", f"delivery:{record.pk}")  # by now every read has ended
        await viewer.socket.say(type="unsubscribe", id="a")
        await viewer.socket.say(type="ping", n=1)
        await viewer.until_type("pong", n=1)
        assert not Hub.current().topics()
        assert not [frame for frame in viewer.frames if frame["type"] == "error"]


async def test_staff_see_what_they_may(settings: Settings) -> None:
    record, boss = await sync_to_async(delivery)(), await sync_to_async(auditor)()
    async with client(boss) as viewer:
        _, state, synced = await viewer.subscribe("a", "deliveries:all")
        assert (state["delivery_id"], state["price"], synced["total"]) == (str(record.pk), "10.00", 1)


async def test_what_was_committed_before_a_heartbeat_vouches_for_it_stands_before_it(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "HEARTBEAT_SECONDS": 0.05, "REPAIR_SECONDS": 0.05}
    record = await sync_to_async(delivery)()
    async with client(record.sender) as viewer:
        await viewer.subscribe("a", f"delivery:{record.pk}")
        Hub.current()._ear._deliver = lambda update: None  # deaf: repair alone
        for number in range(5):
            await change(record, status=f"stop {number}")
            written = await sync_to_async(plain_now)()
            while ((await viewer.until_type("heartbeat"))["verified_at"] or "") <= written:
                continue
            assert viewer.mirror.records[str(record.pk)]["status"] == f"stop {number}"


def plain_now() -> str:
    """Return the database's clock as a heartbeat has it."""
    return str(plain(Epoch.objects.annotate(clock=Now()).values_list("clock", flat=True).get()))
