"""Tickets and bearer tokens: who shows one is let in as who it was made for, while he may (PROTOCOL §6)."""

import asyncio
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import AsyncClient, Client
from joserfc import jwt
from joserfc.jwk import OctKey
from pytest_django import Settings

from realtime import bearer, tickets
from realtime.exceptions import NoTokenKey
from realtime.identity import Claim, claim_of
from realtime.models import Ticket
from realtime.testing import connect_as
from realtime.tests.asking import browser
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user
from tests.threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]

SYNC = "delivery-sync.v1"
TICKETS = "/api/realtime/ticket"
KEYS = {"new": "n" * 64, "old": "o" * 64}


def address(record: Delivery) -> str:
    return f"/ws/deliveries/{record.pk}/"


def ticket_of(person: Any) -> str:
    claim = claim_of(person, None)
    assert claim is not None
    return tickets.issue(claim)


def changed(person: Any, **values: Any) -> None:
    found = get_user_model().objects.get(pk=person.pk)
    for name, value in values.items():
        setattr(found, name, value)
    found.save()


async def code_of(record: Delivery, **shown: str) -> int:
    async with connect_as(None, address(record), protocol=SYNC, **shown) as socket:  # type: ignore[arg-type]
        code = await socket.closed()
        assert all(frame["type"] == "goodbye" for frame in socket.frames)
        return code


# -- Strangers first.


@pytest.mark.parametrize("shown", ["x", "x" * 43, "y" * 5000])
async def test_what_was_never_issued_is_no_ticket(shown: str) -> None:
    record = await sync_to_async(delivery)()
    assert await code_of(record, ticket=shown) == 4401


async def test_a_bad_ticket_beside_a_good_cookie_is_refused() -> None:
    record = await sync_to_async(delivery)()
    browser = await sync_to_async(Client)()
    await sync_to_async(browser.force_login)(record.sender)
    key = await sync_to_async(lambda: str(browser.session.session_key))()
    assert await code_of(record, ticket="bad", session=key) == 4401


async def test_a_stranger_with_a_ticket_is_a_stranger() -> None:
    record = await sync_to_async(delivery)()
    ticket = await sync_to_async(lambda: ticket_of(user()))()
    async with connect_as(None, address(record), ticket=ticket) as socket:
        assert await socket.closed() == 4404


async def test_a_ticket_opens_one_socket() -> None:
    record = await sync_to_async(delivery)()
    ticket = await sync_to_async(ticket_of)(record.sender)
    async with connect_as(None, address(record), protocol=SYNC, ticket=ticket) as socket:
        assert (await socket.until(type="delivery.update"))["price"] == "10.00"
    assert await code_of(record, ticket=ticket) == 4401


async def test_of_two_who_race_with_one_ticket_one_wins() -> None:
    record = await sync_to_async(delivery)()
    for _ in range(5):
        ticket = await sync_to_async(ticket_of)(record.sender)
        won: list[dict[str, Claim]] = []
        await asyncio.to_thread(at_once, [lambda: won.append(tickets.redeem([ticket]))] * 4)  # noqa: B023
        assert sorted(len(found) for found in won) == [0, 0, 0, 1]


async def test_an_expired_ticket_is_refused_and_removed() -> None:
    record = await sync_to_async(delivery)()
    ticket = await sync_to_async(ticket_of)(record.sender)
    await sync_to_async(Ticket.objects.update)(expires_at=F("expires_at") - timedelta(seconds=31))
    assert await code_of(record, ticket=ticket) == 4401
    await sync_to_async(ticket_of)(record.sender)
    assert await sync_to_async(Ticket.objects.count)() == 1


async def test_the_ticket_itself_is_not_kept() -> None:
    ticket = await sync_to_async(lambda: ticket_of(user()))()
    row = await sync_to_async(Ticket.objects.get)()
    assert ticket not in str(vars(row))
    assert len(ticket) >= 43, "256 bits"


async def test_a_ticket_ends_with_the_session_that_asked_for_it() -> None:
    record = await sync_to_async(delivery)()
    browser = await sync_to_async(Client)()
    await sync_to_async(browser.force_login)(record.sender)
    claim = await sync_to_async(lambda: claim_of(record.sender, browser.session))()
    assert claim is not None
    first, second = [await sync_to_async(tickets.issue)(claim) for _ in range(2)]
    async with connect_as(None, address(record), protocol=SYNC, ticket=first) as socket:
        await socket.until(type="delivery.update")
        await sync_to_async(browser.logout)()
        assert await socket.closed() == 4405
    assert await code_of(record, ticket=second) == 4401


# -- ``auth`` on the socket.


async def test_who_shows_nothing_is_heard_when_he_says_who_he_is() -> None:
    record = await sync_to_async(delivery)()
    ticket = await sync_to_async(ticket_of)(record.sender)
    async with connect_as(None, address(record), protocol=SYNC) as socket:
        await socket.say(type="auth", ticket=ticket)
        assert (await socket.next())["type"] == "welcome"
        await socket.until(type="delivery.update")


@pytest.mark.parametrize(
    "said", ['{"type":"ping","n":1}', '{"type":"auth","ticket":"x"}', "no JSON", '{"type":"auth"}']
)
async def test_who_says_anything_else_first_is_refused(said: str) -> None:
    record = await sync_to_async(delivery)()
    async with connect_as(None, address(record), protocol=SYNC) as socket:
        await socket.send(said)
        assert await socket.closed() == 4401
        assert [frame["type"] for frame in socket.frames] == ["goodbye"]


async def test_who_never_says_who_he_is_is_refused(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "AUTH_SECONDS": 0.2}
    record = await sync_to_async(delivery)()
    assert await code_of(record) == 4401


async def test_a_live_socket_rests_on_a_newer_session_when_it_is_told_so() -> None:
    record = await sync_to_async(delivery)()
    first, second = [await sync_to_async(ticket_of)(record.sender) for _ in range(2)]
    other = await sync_to_async(lambda: ticket_of(user()))()
    async with connect_as(None, address(record), protocol=SYNC, ticket=first) as socket:
        await socket.until(type="synced")
        await socket.say(type="auth", ticket=second)
        await socket.say(type="ping", n=1)
        assert (await socket.next())["type"] == "pong"
        await socket.say(type="auth", ticket=other)
        assert await socket.closed() == 4401


# -- Bearer tokens.


def forged(person: Any, key: str, **header: str) -> str:
    claims = {"sub": str(person.pk), "exp": 2**33}
    return jwt.encode({"alg": "HS256", **header}, claims, OctKey.import_key(key))


async def test_tokens_that_our_keys_did_not_sign_are_refused(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "TOKEN_KEYS": KEYS}
    record = await sync_to_async(delivery)()
    good = await sync_to_async(bearer.issue)(record.sender, timedelta(minutes=1))
    head, body, mac = good.split(".")
    unsigned = b64encode(b'{"alg":"none","kid":"new"}').decode().rstrip("=")
    for token in (
        "x",
        "a.b.c",
        "x" * 5000,
        f"{head}.{body}.",
        f"{head}.{body}.{mac[:-4]}AAAA",
        f"{unsigned}.{body}.",
        forged(record.sender, "m" * 64, kid="new"),
        forged(record.sender, KEYS["old"], kid="new"),
        forged(record.sender, KEYS["new"]),
        forged(record.sender, KEYS["new"], kid="gone"),
    ):
        assert await code_of(record, bearer=token) == 4401, token


async def test_a_token_lets_in_until_it_expires_or_the_password_changes(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "TOKEN_KEYS": KEYS}
    record = await sync_to_async(delivery)()
    token = await sync_to_async(bearer.issue)(record.sender, timedelta(minutes=1))
    async with connect_as(None, address(record), bearer=token) as socket:
        assert (await socket.next())["price"] == "10.00"
    expired = await sync_to_async(bearer.issue)(record.sender, timedelta(seconds=-1))
    assert await code_of(record, bearer=expired) == 4401
    await sync_to_async(changed)(record.sender, password="another")
    assert await code_of(record, bearer=token) == 4401


async def test_keys_are_rotated_by_their_names(settings: Settings) -> None:
    record = await sync_to_async(delivery)()
    settings.REALTIME = {**settings.REALTIME, "TOKEN_KEYS": {"old": KEYS["old"]}}
    token = await sync_to_async(bearer.issue)(record.sender, timedelta(minutes=1))
    settings.REALTIME = {**settings.REALTIME, "TOKEN_KEYS": KEYS}
    async with connect_as(None, address(record), bearer=token) as socket:
        await socket.next()
    settings.REALTIME = {**settings.REALTIME, "TOKEN_KEYS": {"new": KEYS["new"]}}
    assert await code_of(record, bearer=token) == 4401


async def test_a_socket_ends_with_its_token(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "TOKEN_KEYS": KEYS, "IDENTITY_SECONDS": 0.1}
    record = await sync_to_async(delivery)()
    token = await sync_to_async(bearer.issue)(record.sender, timedelta(seconds=2))
    async with connect_as(None, address(record), bearer=token) as socket:
        await socket.next()
        assert await socket.closed() == 4405


def test_without_a_key_no_token_is_issued_and_none_is_taken(settings: Settings) -> None:
    with pytest.raises(NoTokenKey, match="TOKEN_KEYS"):
        bearer.issue(user(), timedelta(minutes=1))
    assert bearer.claim_in(forged(user(), "k" * 64, kid="new")) is None


# -- Over HTTP.


async def test_a_ticket_is_for_who_is_logged_in_or_shows_a_token(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "TOKEN_KEYS": KEYS, "REFUSAL_SECONDS": 0.01}
    record = await sync_to_async(delivery)()
    token = await sync_to_async(bearer.issue)(record.sender, timedelta(minutes=1))
    async with browser(None) as nobody, browser(record.sender) as person:
        assert (await nobody.post(TICKETS)).status_code == 401
        assert (await nobody.post(TICKETS, headers={"authorization": f"Bearer {token}x"})).status_code == 401
        assert (await person.post(TICKETS, headers={"authorization": "Bearer x"})).status_code == 401, "not the cookie"
        assert (await person.get(TICKETS)).status_code == 405
        answers = [await person.post(TICKETS), await nobody.post(TICKETS, headers={"authorization": f"Bearer {token}"})]
        for answer in answers:
            assert answer.json()["expires_in"] == 30
            assert answer["Cache-Control"] == "private, no-store"
            async with connect_as(None, address(record), protocol=SYNC, ticket=answer.json()["ticket"]) as socket:
                assert (await socket.until(type="delivery.update"))["price"] == "10.00"


async def test_a_post_with_a_cookie_needs_the_csrf_token_and_one_with_a_token_does_not(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "TOKEN_KEYS": KEYS}
    record = await sync_to_async(delivery)()
    token = await sync_to_async(bearer.issue)(record.sender, timedelta(minutes=1))
    strict = AsyncClient(enforce_csrf_checks=True)
    assert (await strict.post(TICKETS, headers={"authorization": f"Bearer {token}"})).status_code == 200
    await strict.aforce_login(record.sender)
    assert (await strict.post(TICKETS)).status_code == 403


async def test_a_stream_ends_with_its_session(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "IDENTITY_SECONDS": 0.1}
    record = await sync_to_async(delivery)()
    async with browser(record.sender) as person:
        answer: Any = await person.get(f"/api/deliveries/{record.pk}/stream")
        blocks = []
        async with asyncio.timeout(30):
            async for block in answer.streaming_content:
                blocks.append(block.decode())
                if "delivery.update" in blocks[-1]:
                    await sync_to_async(get_user_model().objects.update)(is_active=False)
        assert blocks[-1].startswith("event: goodbye")
        assert '"code":4405' in blocks[-1]


def test_the_command_prints_a_token_for_an_account(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="no active account"):
        call_command("realtime_token", "nobody")
    person = user()
    with pytest.raises(CommandError, match="TOKEN_KEYS"):
        call_command("realtime_token", person.username)
    settings.REALTIME = {**settings.REALTIME, "TOKEN_KEYS": KEYS}
    with pytest.raises(CommandError, match="more than 0"):
        call_command("realtime_token", person.username, days=0)
    with pytest.raises(CommandError, match="more than 0"):
        call_command("realtime_token", person.username, days=float("nan"))
    for days in (91, 1e300, float("inf")):
        with pytest.raises(CommandError, match="--days is 90 at most"):
            call_command("realtime_token", person.username, days=days)
    call_command("realtime_token", person.username, days=1)
    claim = bearer.claim_in(capsys.readouterr().out.strip())
    assert claim is not None
    assert claim.account == str(person.pk)
