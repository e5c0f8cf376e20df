"""Who opens a socket by the cookie of his session, and its end when he is not who he was (I11, close code 4405)."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from realtime import identity, log
from realtime.hub import Hub
from realtime.identity import Claim
from realtime.testing import Socket, connect_as
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older]

PLAIN, SYNC = "", "delivery-sync.v1"


def session_of(person: Any) -> Client:
    browser = Client()
    browser.force_login(person)
    return browser


def cookie(browser: Client) -> str:
    return str(browser.session.session_key)


def address(record: Delivery) -> str:
    return f"/ws/deliveries/{record.pk}/"


async def first_update(socket: Socket) -> dict[str, Any]:
    return await socket.until(type="delivery.update")


# -- Strangers first.


async def refused(key: str, record: Delivery) -> int:
    async with connect_as(None, address(record), session=key) as socket:
        code = await socket.closed()
        assert socket.frames == []
        return code


async def test_cookies_of_nobody_are_refused() -> None:
    record = await sync_to_async(delivery)()
    anonymous = await sync_to_async(Client)()
    for key in ("", "no-such-session", "x" * 5000, "ünïcode", await sync_to_async(cookie)(anonymous)):
        assert await refused(key, record) == 4401


async def test_a_session_that_has_ended_is_refused() -> None:
    record = await sync_to_async(delivery)()
    browser = await sync_to_async(session_of)(record.sender)
    key = await sync_to_async(cookie)(browser)
    await sync_to_async(Session.objects.filter(pk=key).update)(expire_date=timezone.now())
    assert await refused(key, record) == 4401


async def test_a_disabled_account_and_an_older_password_are_refused() -> None:
    record = await sync_to_async(delivery)()
    browser = await sync_to_async(session_of)(record.sender)
    key = await sync_to_async(cookie)(browser)
    await sync_to_async(changed)(record.sender, is_active=False)
    assert await refused(key, record) == 4401
    await sync_to_async(changed)(record.sender, is_active=True, password="other")
    assert await refused(key, record) == 4401


async def test_a_backend_that_is_not_in_use_any_more_vouches_for_nobody(settings: Settings) -> None:
    record = await sync_to_async(delivery)()
    browser = await sync_to_async(session_of)(record.sender)
    key = await sync_to_async(cookie)(browser)
    settings.AUTHENTICATION_BACKENDS = ["accounts.backends.Other"]
    assert await refused(key, record) == 4401


@pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "signed_cookies"])
async def test_the_cookie_of_a_session_opens_a_socket(engine: str, settings: Settings) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    record = await sync_to_async(delivery)()
    browser = await sync_to_async(session_of)(record.sender)
    async with connect_as(None, address(record), session=await sync_to_async(cookie)(browser)) as socket:
        assert (await socket.next())["price"] == "10.00"


async def test_the_hub_does_not_end_under_somebody_who_is_on_his_way_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of the others has left, and it is time to end, just when his cookie is about to be read."""
    record = await sync_to_async(delivery)()
    browser = await sync_to_async(session_of)(record.sender)
    hub = Hub.current()
    reader = hub.start()
    read = reader.accounts

    async def late(claims: Any) -> Any:
        hub.end_when_idle()
        return await read(claims)

    monkeypatch.setattr(reader, "accounts", late)
    async with connect_as(None, address(record), session=await sync_to_async(cookie)(browser)) as socket:
        assert (await first_update(socket))["delivery_id"] == str(record.pk)


def test_many_claims_are_two_statements(django_assert_num_queries: Any) -> None:
    people = [user() for _ in range(8)]
    claims = [Claim(session=cookie(session_of(person))) for person in people]
    claims.append(Claim(account=str(people[0].pk), proof=people[0].get_session_auth_hash()))
    strangers = [Claim(session="none"), Claim(account="one", proof="x"), Claim(account=str(people[1].pk), proof="x")]
    with django_assert_num_queries(2):
        found = identity.accounts([*claims, *strangers])
    assert [found[claim] for claim in claims] == [*people, people[0]]
    assert not found.keys() & set(strangers)


# -- While it is open.


def changed(person: Any, **values: Any) -> None:
    """Save an account's values, as a form does."""
    found = get_user_model().objects.get(pk=person.pk)
    for name, value in values.items():
        setattr(found, name, value)
    found.save()


def logged_out(browser: Client, person: Any) -> None:
    browser.logout()


def password_changed(browser: Client, person: Any) -> None:
    changed(person, password="another")


def disabled(browser: Client, person: Any) -> None:
    changed(person, is_active=False)


def session_deleted(browser: Client, person: Any) -> None:
    Session.objects.filter(pk=cookie(browser)).delete()


def disabled_by_update(browser: Client, person: Any) -> None:
    get_user_model().objects.filter(pk=person.pk).update(is_active=False)


TOLD = [logged_out, password_changed, disabled]
UNTOLD = [session_deleted, disabled_by_update]

Ending = Callable[[Client, Any], None]


async def ended(protocol: str, ending: Ending) -> None:
    """Open a socket with a session, end that, and read the end of the socket; nothing follows it."""
    record = await sync_to_async(delivery)()
    browser = await sync_to_async(session_of)(record.sender)
    key = await sync_to_async(cookie)(browser)
    async with connect_as(None, address(record), session=key, protocol=protocol) as socket:
        await first_update(socket)
        await sync_to_async(ending)(browser, record.sender)
        assert await socket.closed() == 4405
        assert not Hub.current()._watchers
        if protocol:
            goodbye = socket.frames[-1]
            assert (goodbye["type"], goodbye["code"], goodbye["reconnect"]) == ("goodbye", 4405, False)
    assert await refused(key, record) == 4401


@pytest.mark.parametrize("protocol", [PLAIN, SYNC])
@pytest.mark.parametrize("ending", TOLD)
async def test_a_socket_ends_with_what_it_rests_on(protocol: str, ending: Ending) -> None:
    await ended(protocol, ending)


@pytest.mark.parametrize("protocol", [PLAIN, SYNC])
@pytest.mark.parametrize("ending", UNTOLD)
async def test_what_nobody_is_told_of_is_found_by_asking_again(
    protocol: str, ending: Ending, settings: Settings
) -> None:
    settings.REALTIME = {**settings.REALTIME, "IDENTITY_SECONDS": 0.1}
    await ended(protocol, ending)


async def test_an_account_that_a_middleware_has_found_is_asked_about_as_well() -> None:
    record = await sync_to_async(delivery)()
    async with connect_as(record.sender, address(record)) as socket:
        await first_update(socket)
        await sync_to_async(changed)(record.sender, password="another")
        assert await socket.closed() == 4405


async def test_the_other_sessions_of_who_logs_out_stay() -> None:
    record = await sync_to_async(delivery)()
    one, other = [await sync_to_async(session_of)(record.sender) for _ in range(2)]
    keys = [await sync_to_async(cookie)(browser) for browser in (one, other)]
    async with (
        connect_as(None, address(record), session=keys[0]) as leaving,
        connect_as(None, address(record), session=keys[1]) as staying,
    ):
        for socket in (leaving, staying):
            await first_update(socket)
        await sync_to_async(one.logout)()
        assert await leaving.closed() == 4405
        record.status = "seen"
        await sync_to_async(record.save)()
        assert (await staying.next())["status"] == "seen"


async def test_a_log_in_elsewhere_changes_nothing() -> None:
    record = await sync_to_async(delivery)()
    async with connect_as(record.sender, address(record)) as socket:
        await first_update(socket)
        await sync_to_async(session_of)(record.sender)
        await sync_to_async(changed)(record.sender, first_name="Ada")
        record.status = "seen"
        await sync_to_async(record.save)()
        assert (await socket.next())["status"] == "seen"
    assert await sync_to_async(log.heads)([f"delivery.{record.pk}"])


@pytest.mark.parametrize("protocol", [PLAIN, SYNC])
async def test_another_role_takes_a_fresh_start(protocol: str) -> None:
    record = await sync_to_async(delivery)()
    async with connect_as(record.sender, address(record), protocol=protocol) as socket:
        await first_update(socket)
        await sync_to_async(changed)(record.sender, role="booster")
        assert await socket.closed() == 4405
