"""What the guard does when it gets no answer: somebody else's data ends nobody, and nobody is shown what he may not
see any more, whether the database is away or his log-out came while he was on his way in (I11).
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import DataError, OperationalError
from django.test import Client
from pytest_django import Settings

from realtime import identity, metrics
from realtime.guard import Guard
from realtime.hub import Hub
from realtime.identity import Claim
from realtime.reader import Reader
from realtime.testing import connect_as
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user
from realtime.tests.syncing import change

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older]


def address(record: Delivery) -> str:
    return f"/ws/deliveries/{record.pk}/"


def unverified() -> float:
    return float(metrics.skipped.labels("unverified")._value.get())


async def becomes(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


class Trouble:
    """The reading of accounts, with what goes wrong in it."""

    def __init__(self) -> None:
        self.of_all: Exception | None = None
        self.of_one: str = ""
        self.read = identity.accounts

    def __call__(self, claims: Collection[Claim]) -> dict[Claim, Any]:
        if self.of_all is not None:
            raise self.of_all
        if any(self.of_one == claim.account for claim in claims):
            raise DataError("a text that is none")
        return self.read(claims)


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Trouble:
    settings.REALTIME = {**settings.REALTIME, "IDENTITY_SECONDS": 0.1, "REPAIR_SECONDS": 0.1}
    made = Trouble()
    monkeypatch.setattr(identity, "accounts", made)
    return made


async def test_what_one_has_shown_ends_him_alone_and_hides_nobody(trouble: Trouble) -> None:
    record = await sync_to_async(delivery)()
    assert record.courier is not None
    async with connect_as(record.sender, address(record)) as odd, connect_as(record.courier, address(record)) as other:
        for socket in (odd, other):
            await socket.next()
        trouble.of_one = str(record.sender.pk)
        assert await odd.closed() == 4500
        await sync_to_async(get_user_model().objects.filter(pk=record.courier.pk).update)(is_active=False)
        assert await other.closed() == 4405


async def test_while_the_database_is_away_nobody_is_ended_and_nothing_is_shown(trouble: Trouble) -> None:
    record = await sync_to_async(delivery)()
    hub = Hub.current()
    async with connect_as(record.sender, address(record)) as gone, connect_as(record.courier, address(record)) as stays:
        for socket in (gone, stays):
            await socket.next()
        trouble.of_all = OperationalError("away")
        await becomes(lambda: hub.is_blind)
        await sync_to_async(get_user_model().objects.filter(pk=record.sender.pk).update)(is_active=False)
        before = unverified()
        await change(record, status="moving")
        await becomes(lambda: unverified() > before)
        trouble.of_all = None
        assert await gone.closed() == 4405
        assert [frame["version"] for frame in gone.frames] == [1], "what moved meanwhile is not for him"
        assert (await stays.next())["status"] == "moving"
        assert not hub.is_blind


# -- On the way in.


@pytest.mark.parametrize("protocol", ["", "delivery-sync.v1"])
async def test_a_log_out_while_a_socket_opens_ends_it(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who it is was read, the word comes and finds no member, and then he joins."""
    record, browser = await sync_to_async(delivery)(), Client()
    await sync_to_async(browser.force_login)(record.sender)
    key = await sync_to_async(lambda: str(browser.session.session_key))()
    hub, read = Hub.current(), Reader.accounts

    async def then_logged_out(reader: Reader, claims: Collection[Claim]) -> dict[Claim, Any]:
        found = await read(reader, claims)
        if any(claim.session == key for claim in claims):
            await sync_to_async(browser.logout)()
            await becomes(lambda: str(record.sender.pk) in hub._guard._words)
        return found

    async with connect_as(record.courier, address(record)) as other:  # the hub stays, and its bus is heard
        await other.next()
        await becomes(hub._ear._confirmed.is_set)
        hub._guard._words.clear()
        monkeypatch.setattr(Reader, "accounts", then_logged_out)
        async with connect_as(None, address(record), session=key, protocol=protocol) as socket:
            assert await socket.closed() == 4405
    assert not await sync_to_async(Session.objects.filter(pk=key).exists)()


async def test_a_second_word_while_somebody_is_looked_at_is_heard() -> None:
    record = await sync_to_async(delivery)()
    async with connect_as(record.sender, address(record)) as socket:
        await socket.next()
        guard = Hub.current()._guard
        looked = asyncio.Event()
        look = guard._look_at

        async def last_look(members: Any, reader: Any) -> bool:
            answered = await look(members, reader)
            if len(looks) == len(Guard.LOOKS) - 1:
                await sync_to_async(get_user_model().objects.filter(pk=record.sender.pk).update)(is_active=False)
                guard.suspect(str(record.sender.pk))
                looked.set()
            looks.append(answered)
            return answered

        looks: list[bool] = []
        guard._look_at = last_look  # type: ignore[method-assign]
        try:
            guard.suspect(str(record.sender.pk))
            assert await socket.closed() == 4405
            assert looked.is_set()
        finally:
            del guard._look_at


async def test_words_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "SUSPECTS", 3)
    guard = Guard(Hub.current())
    for account in ("1", "2", "3", "1", "4"):
        guard.suspect(account)
    assert list(guard._words) == ["3", "1", "4"]
    assert await sync_to_async(user)()
