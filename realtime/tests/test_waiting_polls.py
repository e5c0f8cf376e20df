"""Who waited for a state is who he is when it is answered, and not who he was when he asked (I11)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import AsyncClient
from pytest_django import Settings

from realtime import bearer
from realtime.feeds import Viewer
from realtime.hub import Hub
from realtime.tests.asking import PATH, browser
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user
from realtime.tests.syncing import change

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older]

KEYS = {"one": "k" * 64}


@pytest.fixture(autouse=True)
def managers_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project may say which of its roles is which of the feed's."""

    def viewer(user: Any) -> Viewer:
        return Viewer(user.pk, "auditor" if user.role == "manager" else user.role)

    monkeypatch.setattr(DeliveryFeed, "viewer", viewer)


@pytest.fixture(autouse=True)
async def quiet_hub(settings: Settings) -> AsyncIterator[None]:
    more = {"REFUSAL_SECONDS": 0.01, "WAIT_SECONDS": 60.0, "TOKEN_KEYS": KEYS}
    settings.REALTIME = {**settings.REALTIME, **more}
    yield
    Hub.current().end()


async def waiting(asking: AsyncClient, record: Delivery, **more: Any) -> "asyncio.Task[Any]":
    """Ask for the next state; return when the hub has the one who waits."""
    address = f"{PATH}/{record.pk}/state"
    tag = (await asking.get(address, **more))["ETag"]
    headers = {**more.get("headers", {}), "If-None-Match": tag}
    task = asyncio.create_task(asking.get(f"{address}?wait=60", headers=headers))
    async with asyncio.timeout(30):
        while not any(not member.session.is_reading for member in Hub.current().members):
            await asyncio.sleep(0.01)
    return task


async def answer_of(task: "asyncio.Task[Any]") -> Any:
    async with asyncio.timeout(30):
        return await task


Ending = Callable[[AsyncClient, Any], None]


def rows(person: Any) -> Any:
    return get_user_model().objects.filter(pk=person.pk)


def disabled(asking: AsyncClient, person: Any) -> None:
    rows(person).update(is_active=False)


def password_changed(asking: AsyncClient, person: Any) -> None:
    rows(person).update(password="another")


def session_deleted(asking: AsyncClient, person: Any) -> None:
    Session.objects.all().delete()


ENDINGS = [disabled, password_changed, session_deleted]


@pytest.mark.parametrize("ending", ENDINGS)
async def test_who_is_nobody_any_more_is_told_so_and_nothing_else(ending: Ending) -> None:
    """Nobody was told of it, and the guard asks once an hour here: the answer itself asks."""
    record, auditor = await sync_to_async(delivery)(), await sync_to_async(user)()
    await sync_to_async(rows(auditor).update)(role="manager")
    async with browser(auditor) as asking:
        task = await waiting(asking, record)
        await sync_to_async(ending)(asking, auditor)
        await change(record, status="secret")
        answer = await answer_of(task)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_authenticated")
        assert "secret" not in answer.content.decode()
        assert "ETag" not in answer.headers
    assert not Hub.current().members


async def test_a_token_that_has_ended_meanwhile_is_none() -> None:
    record = await sync_to_async(delivery)()
    token = await sync_to_async(bearer.issue)(record.sender, timedelta(minutes=5))
    async with browser(None) as asking:
        task = await waiting(asking, record, headers={"Authorization": f"Bearer {token}"})
        await sync_to_async(password_changed)(asking, record.sender)
        await change(record, status="secret")
        assert (await answer_of(task)).status_code == 401


async def test_another_role_is_answered_as_what_it_is_now() -> None:
    record, auditor = await sync_to_async(delivery)(), await sync_to_async(user)()
    for person, status, price in [(record.courier, 200, None), (auditor, 404, None)]:
        await sync_to_async(rows(person).update)(role="manager")
        async with browser(person) as asking:
            task = await waiting(asking, record)
            await sync_to_async(rows(person).update)(role="client")
            await change(record, status=f"for {person.pk}")
            answer = await answer_of(task)
            assert answer.status_code == status
            if status == 200:
                assert (answer.json()["price"], answer.json()["status"]) == (price, f"for {person.pk}")


@pytest.mark.parametrize("ending", ENDINGS)
async def test_the_guard_ends_the_wait_as_it_ends_a_socket(ending: Ending, settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "IDENTITY_SECONDS": 0.1}
    record = await sync_to_async(delivery)()
    async with browser(record.sender) as asking:
        task = await waiting(asking, record)
        await sync_to_async(ending)(asking, record.sender)
        assert (await answer_of(task)).status_code == 401


async def test_the_guard_ends_the_wait_of_another_role(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "IDENTITY_SECONDS": 0.1}
    record, auditor = await sync_to_async(delivery)(), await sync_to_async(user)()
    await sync_to_async(rows(auditor).update)(role="manager")
    async with browser(auditor) as asking:
        task = await waiting(asking, record)
        await sync_to_async(rows(auditor).update)(role="client")
        assert (await answer_of(task)).status_code == 404


async def test_who_waits_in_vain_and_is_nobody_any_more_is_told_so(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "WAIT_SECONDS": 1.0}
    record = await sync_to_async(delivery)()
    async with browser(record.sender) as asking:
        task = await waiting(asking, record)
        await sync_to_async(disabled)(asking, record.sender)
        assert (await answer_of(task)).status_code == 401
