"""Whatever the layer does, writers do not notice, and nothing is said before it is committed (I1, I10)."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from orders.models import BaseOrder
from realtime import relay
from realtime.models import Event
from realtime.signals import send_order_update_to_group
from tests.disposable import House, housed, written
from tests.people import Cast, cast
from tests.server import PATIENCE
from tests.threads import in_a_thread


@pytest.fixture(scope="module")
def house(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with housed(tmp_path_factory.mktemp("server")) as found:
        yield found


class Touched(Exception):
    """The network was used where it must not be."""


@pytest.fixture
def traffic(monkeypatch: pytest.MonkeyPatch) -> "Traffic":
    return Traffic(monkeypatch)


class Traffic:
    """What leaves through Python's sockets, which the layer's client uses and the database driver does not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[bytes] = []
        self.touched: list[str] = []
        self.saving = False
        self.saved = threading.Event()
        self.relay_waited: list[bool] = []
        for name in ("connect", "connect_ex", "send", "sendall", "sendmsg", "recv", "recv_into"):
            monkeypatch.setattr(socket.socket, name, self._watched(name), raising=False)

    def _watched(self, name: str) -> Callable[..., Any]:
        original = getattr(socket.socket, name)

        def call(connection: socket.socket, *args: Any) -> Any:
            # A pair of local sockets is how an event loop wakes itself.
            if connection.family != socket.AF_UNIX:
                if self.saving:
                    self._judge(name)
                if name.startswith("send"):
                    self.sent.append(bytes(args[0]) if name != "sendmsg" else b"".join(args[0]))
            return original(connection, *args)

        return call

    def _judge(self, name: str) -> None:
        """Let the relay's thread wait until the saving is done; let nobody else through, ``async_to_sync`` included."""
        if threading.current_thread().name != "realtime-relay":
            self.touched.append(name)
            raise Touched(name)
        self.relay_waited.append(self.saved.wait(PATIENCE))

    def said(self, words: str) -> bool:
        return any(words.encode() in data for data in self.sent)

    def hears(self, words: str, timeout: float) -> bool:
        until = time.monotonic() + timeout
        while not self.said(words) and time.monotonic() < until:
            time.sleep(0.01)
        return self.said(words)


@pytest.mark.parametrize("state", ["up", "paused", "stopped"])
def test_a_writer_neither_talks_to_the_layer_nor_waits_for_who_does(house: House, traffic: Traffic, state: str) -> None:
    people = cast()
    {"up": lambda: None, "paused": house.valkey.pause, "stopped": house.valkey.stop}[state]()
    traffic.saving = True
    try:
        with transaction.atomic():
            written(people, f"in a transaction {state}")
        for number in range(20):
            written(people, f"{state} {number}")
        send_order_update_to_group(people.order, {"message": "look"})
        BaseOrder.objects.get(pk=people.order.pk).save()
    finally:
        traffic.saving = False
        traffic.saved.set()
        {"up": lambda: None, "paused": house.valkey.resume, "stopped": house.valkey.start}[state]()
    assert traffic.touched == []
    assert all(traffic.relay_waited), "somebody waited for the relay while it waited for us"
    order = BaseOrder.objects.get(pk=people.order.pk)
    assert order.note == f"{state} 19"
    assert Event.objects.filter(topic=f"order.{people.order.pk}").latest("version").state["note"] == order.note


def test_a_relay_that_fails_fails_no_writer(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    people = cast()

    def broken(*args: object) -> None:
        raise OSError("nothing works")

    monkeypatch.setattr(relay, "wake", broken)
    monkeypatch.setattr(relay, "hint", broken)
    written(people, "all the same")
    with transaction.atomic():
        written(people, "and in a transaction")
        send_order_update_to_group(people.order, {"message": "look"})
    send_order_update_to_group(people.order, {"message": "look"})
    assert BaseOrder.objects.get(pk=people.order.pk).note == "and in a transaction"


def relay_has_made_its_round(traffic: Traffic, people: Cast) -> None:
    """Change another order, in another thread, until this process's relay was heard to publish it.

    It need not be the first: the server's relay may be faster, and after a trouble ours is silent for a second.
    """
    for number in range(60):
        words = f"spoken {people.order.pk} {number} {len(traffic.sent)}"
        in_a_thread(partial(written, people, words))
        if traffic.hears(words, timeout=0.5):
            return
    raise AssertionError("the relay never spoke")


@pytest.mark.parametrize("rolled_back", [True, False])
def test_nothing_of_a_transaction_is_sent_before_it_commits_or_when_it_rolls_back(
    house: House, traffic: Traffic, rolled_back: bool
) -> None:
    people, others = cast(), cast()
    words = f"unspoken {people.order.pk}"
    with transaction.atomic():
        written(people, words)
        relay_has_made_its_round(traffic, others)
        assert not traffic.said(words)
        transaction.set_rollback(rolled_back)
    relay_has_made_its_round(traffic, others)
    assert not (rolled_back and traffic.said(words))
    events = Event.objects.filter(topic=f"order.{people.order.pk}", state__note=words)
    assert events.exists() is not rolled_back
