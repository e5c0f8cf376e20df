"""Reads do not grow with sockets: who comes at the same time shares statements."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db.backends.signals import connection_created
from django.test import Client
from django.utils import timezone
from django.utils.crypto import get_random_string

from realtime import relay
from realtime.batch import Batch
from realtime.hub import Hub
from realtime.models import Stream
from realtime.testing import Socket, connect_as
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user

pytestmark = pytest.mark.django_db(transaction=True)

SYNC = "delivery-sync.v1"


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect what the readers of this process ask the database; they connect anew with their hub."""
    asked: list[str] = []

    def wrap(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append(sql)
        return execute(sql, params, many, context)

    def watch(*, connection: Any, **_: Any) -> None:
        if threading.current_thread().name.startswith("realtime-reader"):
            connection.execute_wrappers.append(wrap)

    connection_created.connect(watch)
    try:
        yield asked
    finally:
        connection_created.disconnect(watch)


def about(asked: list[str], *tables: str) -> list[str]:
    return [sql for sql in asked if any(f'FROM "{table}"' in sql for table in tables)]


def cookies(people: list[Any], number: int) -> list[str]:
    """Return the keys of ``number`` sessions, of each of ``people`` in turn."""
    keys = []
    for person in people:
        browser = Client()
        browser.force_login(person)
        data = SessionStore().encode(dict(browser.session))
        own = [get_random_string(32) for _ in range(number // len(people))]
        expires = timezone.now() + timedelta(days=1)
        Session.objects.bulk_create([Session(session_key=key, session_data=data, expire_date=expires) for key in own])
        keys.append(own)
    return [key for together in zip(*keys, strict=True) for key in together]


def deliveries(people: list[Any], number: int) -> list[Delivery]:
    made = Delivery.objects.bulk_create([Delivery(sender=people[n % len(people)]) for n in range(number)])
    assert relay.rest(60)
    return made


async def test_many_who_come_for_one_record_share_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batch, "TOGETHER", 20.0)  # however slow the machine is
    record = await sync_to_async(delivery)()
    keys = await sync_to_async(cookies)([record.sender], 100)
    with statements() as asked:
        async with AsyncExitStack() as stack:
            # The hub is at work already, so that what is counted are the joins.
            await (await stack.enter_async_context(connect_as(record.sender, f"/ws/deliveries/{record.pk}/"))).next()
            del asked[:]
            sockets = [Socket(None, f"/ws/deliveries/{record.pk}/", session=key) for key in keys]
            await asyncio.gather(*(socket.open() for socket in sockets))
            for socket in sockets:
                stack.push_async_callback(socket.close)
                assert (await socket.next())["version"] == 1
            states = [sql for sql in about(asked, Stream._meta.db_table) if '"state"' in sql]
            assert len(states) == 1


@pytest.mark.parametrize("protocol", ["", SYNC])
async def test_a_storm_of_two_thousand_sockets_costs_a_few_statements(protocol: str) -> None:
    people = await sync_to_async(lambda: [user() for _ in range(4)])()
    records = await sync_to_async(deliveries)(people, 500)
    keys = await sync_to_async(cookies)(people, 2000)
    with statements() as asked:
        sockets = [
            Socket(None, f"/ws/deliveries/{records[n % 500].pk}/", protocol=protocol, session=keys[n])
            for n in range(2000)
        ]
        try:
            await asyncio.gather(*(socket.open() for socket in sockets))
            for socket in sockets:
                await socket.until(type="delivery.update")
            assert len(Hub.current().members) == 2000
            states = [sql for sql in about(asked, Stream._meta.db_table) if '"state"' in sql]
            who = about(asked, Session._meta.db_table, get_user_model()._meta.db_table)
            assert 0 < len(states) <= 40, len(states)
            assert 0 < len(who) <= 40, len(who)
            assert len(asked) <= 120, len(asked)
        finally:
            await asyncio.gather(*(socket.leave() for socket in sockets))
            Hub.current().end_when_idle()
            assert await asyncio.to_thread(relay.rest, 60)
