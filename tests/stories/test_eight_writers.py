"""Eight writers, rollbacks and savepoints on one order: viewers see dense versions and end where the order is.

Invariants I1, I3, I4 and I5 through real sockets.
"""

import random
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from decimal import Decimal
from functools import partial

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from games.league_of_legends.models import LeagueOfLegendsDivisionOrder
from orders.models import BaseOrder
from orders.services import order_release
from realtime.models import Event, Stream
from tests.people import Cast, cast
from tests.server import Server, Watch, state_of, unbroken
from tests.threads import at_once

WRITERS, ROUNDS = 8, 20


class TakenBack(Exception):
    """Ends a block whose work is to be undone."""


@contextmanager
def undone() -> Iterator[None]:
    """A block, or a savepoint inside another, that rolls back."""
    try:
        with transaction.atomic():
            yield
            raise TakenBack
    except TakenBack:
        pass


class Writer:
    """Plays with one order as services do: a transaction of its own, the order's row locked first."""

    def __init__(self, order_id: int, number: int) -> None:
        self.order_id, self.dice = order_id, random.Random(number)
        self.name, self.words = f"writer {number}", 0

    def write(self) -> None:
        plays = [
            self.speaks, self.progresses, self.reprices, self.all_at_once, self.is_undone, self.savepoint_is_undone,
            self.savepoint_is_undone_first, self.all_is_undone_after_a_savepoint, self.goes_there_and_back,
            self.says_nothing_new,
        ]  # fmt: skip
        for _ in range(ROUNDS // len(plays)):
            for play in self.dice.sample(plays, len(plays)):
                play()

    @contextmanager
    def locked(self) -> Iterator[BaseOrder]:
        with transaction.atomic():
            yield BaseOrder.objects.select_for_update(no_key=True).get(pk=self.order_id)

    def speak(self, order: BaseOrder) -> None:
        self.words += 1
        order.message = f"{self.name} says {self.words}."
        order.save()

    def progress(self) -> None:
        division = LeagueOfLegendsDivisionOrder.objects.get(order_id=self.order_id)
        division.progress_percent = (division.progress_percent + self.dice.randrange(1, 50)) % 101
        division.save()

    def speaks(self) -> None:
        with self.locked() as order:
            self.speak(order)

    def progresses(self) -> None:
        with self.locked():
            self.progress()

    def reprices(self) -> None:
        with self.locked() as order:
            order.actual_price += Decimal("0.01")
            order.booster_price += Decimal("0.01")
            order.save()

    def all_at_once(self) -> None:
        with self.locked() as order:
            self.speak(order)
            self.progress()
            self.speak(order)

    def is_undone(self) -> None:
        with undone(), self.locked() as order:
            self.speak(order)
            self.progress()

    def savepoint_is_undone(self) -> None:
        with self.locked() as order:
            self.speak(order)
            with undone():
                self.progress()
                order.message = "never said"
                order.save()
            order.refresh_from_db()

    def savepoint_is_undone_first(self) -> None:
        with self.locked() as order:
            with undone():
                order.message = "never said"
                order.save()
            order.refresh_from_db()
            self.speak(order)

    def all_is_undone_after_a_savepoint(self) -> None:
        with undone(), self.locked() as order:
            with transaction.atomic():
                self.speak(order)
            with transaction.atomic():
                self.progress()

    def goes_there_and_back(self) -> None:
        with self.locked() as order:
            before = order.message
            self.speak(order)
            order.message = before
            order.save()

    def says_nothing_new(self) -> None:
        with self.locked() as order:
            order.save()


LEAVE_AN_EVENT = 6  # of the ten plays


@pytest.mark.parametrize(
    ("available", "viewers"),
    [
        (False, ("client", "booster", "manager", "admin")),
        (True, ("client", "other_booster", "manager")),
    ],
    ids=["in progress", "available"],
)
async def test_versions_are_dense_and_every_viewer_ends_at_the_truth(
    standing_server: Server, available: bool, viewers: tuple[str, ...]
) -> None:
    people = await sync_to_async(cast)()
    if available:
        await sync_to_async(order_release)(order_id=people.order.pk, by=people.manager)
    path, topic = f"/ws/orders/{people.order.pk}/", f"order.{people.order.pk}"
    async with AsyncExitStack() as stack:
        watches = [
            await stack.enter_async_context(standing_server.watch(path, getattr(people, name))) for name in viewers
        ]
        began, *_ = [(await watch.next())["version"] for watch in watches]
        writers = [Writer(people.order.pk, number) for number in range(WRITERS)]
        await sync_to_async(at_once)([writer.write for writer in writers])
        history = await sync_to_async(events)(topic)
        head = await sync_to_async(Stream.objects.get)(topic=topic)
        assert list(history) == list(range(1, head.version + 1))
        assert head.version == began + WRITERS * (ROUNDS // 10) * LEAVE_AN_EVENT
        assert not any("never said" in str(event.state) for event in history.values())
        for name, watch in zip(viewers, watches, strict=True):
            last = await watch.until(head.version)
            unbroken(watch.frames)
            for frame in watch.frames:
                is_masked_state_of(history[frame["version"]], frame)
            fresh = await fresh_snapshot(standing_server, path, people, name)
            assert state_of(last) == fresh
            assert applied(watch) == fresh


async def test_writers_that_forget_the_orders_lock_are_put_in_order_as_well(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    path, topic, order = f"/ws/orders/{people.order.pk}/", f"order.{people.order.pk}", people.order.pk

    def speak(name: int) -> None:
        for number in range(ROUNDS):
            BaseOrder(pk=order, message=f"{name} says {number}.").save(update_fields=["message"])

    def progress(name: int) -> None:
        row = LeagueOfLegendsDivisionOrder.objects.get(order_id=order)
        for number in range(ROUNDS):
            row.progress_percent = name * ROUNDS + number
            row.save(update_fields=["progress_percent"])

    async with standing_server.watch(path, people.client) as watch:
        began = (await watch.next())["version"]
        # Each holds a row of its own and meets the others only where versions are given.
        works = [partial(speak, name) for name in range(4)] + [partial(progress, name) for name in range(4)]
        await sync_to_async(at_once)(works)
        history = await sync_to_async(events)(topic)
        head = await sync_to_async(Stream.objects.get)(topic=topic)
        assert list(history) == list(range(1, head.version + 1))
        assert began + WRITERS * ROUNDS - 1 <= head.version <= began + WRITERS * ROUNDS  # progress begins at 0
        await watch.until(head.version)
        unbroken(watch.frames)
        for frame in watch.frames:
            is_masked_state_of(history[frame["version"]], frame)
        assert applied(watch) == await fresh_snapshot(standing_server, path, people, "client")


def events(topic: str) -> dict[int, Event]:
    return {event.version: event for event in Event.objects.filter(topic=topic).order_by("id")}


def is_masked_state_of(event: Event, frame: dict[str, object]) -> None:
    assert event.state is not None
    for key, value in frame.items():
        if key in frame["masked"]:  # type: ignore[operator]
            assert value is None
        elif key in event.state:
            assert value == event.state[key]


def applied(watch: Watch) -> dict[str, object]:
    """Return what a client holds that applies every frame by PROTOCOL §3."""
    held: dict[str, object] = {}
    for frame in watch.frames:
        prev = frame.get("prev", frame["version"] - 1)
        if held and frame["version"] <= held["version"]:  # type: ignore[operator]
            continue
        assert not held or prev in (held["version"], None), "a client would have to ask again"
        held = state_of(frame)
    return held


async def fresh_snapshot(server: Server, path: str, people: Cast, name: str) -> dict[str, object]:
    async with server.watch(path, getattr(people, name)) as watch:
        return state_of(await watch.next())
