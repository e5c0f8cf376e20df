"""Publishing: only what is committed, after the commit, never in the writer's thread; a mutant is caught."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models.signals import post_save
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime import brokers, conf, log, relay, signals
from realtime.brokers.base import Broker, BrokerError
from realtime.capture import orm
from realtime.models import Event
from realtime.protocol.codec import Hints, seal, unseal
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery

pytestmark = [pytest.mark.django_db(transaction=True)]


class Recording(Broker):
    """A bus that keeps what it is given; ``fails`` makes it refuse."""

    def __init__(self) -> None:
        self.published: list[tuple[str, int]] = []
        self.threads: set[str] = set()
        self.fails = False

    async def publish(self, group: int, body: str) -> None:
        self.threads.add(threading.current_thread().name)
        if self.fails:
            raise BrokerError("down")
        message = unseal(body, brokers.key())
        assert isinstance(message, Hints)
        self.published += [(update.topic, update.version) for update in message.updates]

    async def hint(self, feed_name: str, key: str, message: str) -> None:
        self.published.append((f"{feed_name}_{key}", 0))

    async def listen(self, heard: Any, hinted: Any) -> None:
        raise AssertionError("nobody listens here")

    async def follow(self, feed_name: str, key: str) -> None: ...

    async def unfollow(self, feed_name: str, key: str) -> None: ...


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    recording = Recording()
    monkeypatch.setattr(brokers, "current", lambda: recording)
    wait_until(settled)
    yield recording
    wait_until(settled)


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.01)


def settled() -> bool:
    return not Event.objects.filter(pos=None).exists()


def committed() -> list[tuple[str, int]]:
    return list(Event.objects.order_by("pos").values_list("topic", "version"))


def test_each_committed_event_is_published_once_by_the_relays_thread(bus: Recording) -> None:
    record = delivery()
    for status in ("packed", "moving", "there"):
        record.status = status
        record.save()
    wait_until(lambda: len(bus.published) == 4)
    assert bus.published == committed()
    assert bus.threads == {"realtime-relay"}


def test_saving_touches_no_network(bus: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that raises in the saving thread: the cause, not the milliseconds (I10). psycopg uses libpq's own."""
    saving, connect = threading.get_ident(), socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        assert threading.get_ident() != saving, "the writer's thread talks to the network"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "send", refuse)
    record = delivery()
    with transaction.atomic():
        record.status = "moving"
        record.save()
    wait_until(lambda: len(bus.published) == 2)


def test_a_bus_that_is_down_costs_hints_and_nothing_else(bus: Recording) -> None:
    bus.fails = True
    record = delivery()
    wait_until(settled)
    assert relay.rest(20)
    assert bus.published == []
    bus.fails = False
    wait_until(lambda: time.monotonic() > relay._relay._mute_until)
    record.status = "moving"
    record.save()
    wait_until(lambda: bus.published == committed()[1:])
    assert conf.current().broker_timeout > 0


HISTORY = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["commit", "roll back", "savepoint"])), max_size=8)


class RollBack(Exception):
    pass


def live(history: list[tuple[str, str]]) -> None:
    """Write ``history`` to one delivery: a status, and how its transaction ends."""
    record = delivery()
    for status, end in history:
        try:
            with transaction.atomic():
                record.status = status
                if end == "savepoint":
                    try:
                        with transaction.atomic():
                            record.save()
                            raise RollBack
                    except RollBack:
                        record.status = f"{status}!"
                record.save()
                if end == "roll back":
                    raise RollBack
        except RollBack:
            continue


def check_only_committed(bus: Recording, history: list[tuple[str, str]]) -> None:
    bus.published.clear()
    Event.objects.all().delete()
    live(history)
    wait_until(settled)
    wait_until(lambda: set(committed()) <= set(bus.published))
    assert sorted(bus.published) == sorted(committed()), "published: what was committed, once"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HISTORY)
def test_what_was_rolled_back_is_never_published(bus: Recording, history: list[tuple[str, str]]) -> None:
    check_only_committed(bus, history)


def test_the_mutant_publish_before_commit_is_caught(bus: Recording) -> None:
    import asyncio

    def capture_and_publish(*, instance: Any, using: str, **_: Any) -> None:
        for feed, key in orm.touched(instance) if connections[using].in_atomic_block else ():
            update = log.record(feed, key, mark=signals.hook_of_transaction(using).mark)
            if update is not None:
                body = seal(Hints("", [update]), brokers.key())
                asyncio.run(brokers.current().publish(0, body))

    assert post_save.disconnect(sender=Delivery, dispatch_uid="realtime.save.deliveries.Delivery")
    post_save.connect(capture_and_publish, sender=Delivery, dispatch_uid="mutant")
    try:
        with pytest.raises(AssertionError, match="published"):
            check_only_committed(bus, [("a", "roll back"), ("b", "commit")])
    finally:
        post_save.disconnect(sender=Delivery, dispatch_uid="mutant")
        signals.connect()
