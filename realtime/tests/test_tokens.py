"""What a bearer token may, and for how long at most, whoever signed it (SECURITY.md)."""

import time
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.test import Client
from joserfc import jwt
from joserfc.jwk import OctKey
from pytest_django import Settings

from realtime import bearer
from realtime.exceptions import TokenTooLong
from realtime.identity import proof_of
from realtime.testing import connect_as
from realtime.tests.asking import PATH, browser
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.older_long]

KEYS = {"new": "n" * 64}
DAY = 24 * 3600


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "TOKEN_KEYS": KEYS, "REFUSAL_SECONDS": 0.01}


def signed(person: Any, **claims: Any) -> str:
    """Return a token of our key for ``claims``, as an older version or another program signs it."""
    told = {"sub": str(person.pk), "fpr": proof_of(person), **claims}
    return jwt.encode({"alg": "HS256", "kid": "new"}, told, OctKey.import_key(KEYS["new"]))


def address(record: Delivery) -> str:
    return f"/ws/deliveries/{record.pk}/"


async def is_nobodys(record: Delivery, token: str) -> bool:
    async with connect_as(None, address(record), bearer=token) as socket:
        return await socket.closed() == 4401


async def test_no_token_is_issued_or_taken_that_lasts_longer_than_tokens_may(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "TOKEN_DAYS_AT_MOST": 90}
    record = await sync_to_async(delivery)()
    person, now = record.sender, int(time.time())
    with pytest.raises(TokenTooLong, match="90 days at most"):
        await sync_to_async(bearer.issue)(person, timedelta(days=90, seconds=1))
    longest = await sync_to_async(bearer.issue)(person, timedelta(days=90))
    for token in (
        longest,
        signed(person, iat=now - 80 * DAY, exp=now + 10 * DAY),
        signed(person, exp=now + 89 * DAY),
    ):
        async with connect_as(None, address(record), bearer=token) as socket:
            await socket.next()
    for token in (
        signed(person, iat=now - 80 * DAY, exp=now + 11 * DAY),
        signed(person, exp=now + 91 * DAY),
        signed(person, iat=now - DAY, exp=2**63),
        signed(person, iat=now - DAY, exp=float("inf")),
    ):
        assert await is_nobodys(record, token)
    settings.REALTIME = {**settings.REALTIME, "TOKEN_DAYS_AT_MOST": 30}
    assert await is_nobodys(record, longest), "the setting of now counts"


# -- A token that reads only.


def shown(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_one_that_reads_only_opens_what_is_read() -> None:
    record = await sync_to_async(delivery)()
    token = await sync_to_async(bearer.issue)(record.sender, timedelta(minutes=1), reads_only=True)
    async with connect_as(None, address(record), bearer=token) as socket:
        assert (await socket.next())["price"] == "10.00"
    async with browser(None) as program:
        for path in ("state", "events", "stream"):
            answer: Any = await program.get(f"{PATH}/{record.pk}/{path}", headers=shown(token))
            assert answer.status_code == 200, path
            answer.close()
        assert (await program.head(f"{PATH}/{record.pk}/state", headers=shown(token))).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "PURGE"])
async def test_one_that_reads_only_does_nothing(method: str) -> None:
    record = await sync_to_async(delivery)()
    token = await sync_to_async(bearer.issue)(record.sender, timedelta(minutes=1), reads_only=True)
    doors = ("/api/realtime/ticket", f"{PATH}/sync", f"{PATH}/{record.pk}/state", "/api/nowhere")
    async with browser(record.sender) as person:
        answers: list[Any] = [await person.generic(method, door, headers=shown(token)) for door in doors]
    answers += await sync_to_async(lambda: [Client().generic(method, door, headers=shown(token)) for door in doors])()
    for answer in answers:
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "read_only"
        assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("scope", ["write", "read write", "", 1, ["read"]])
async def test_a_scope_that_is_not_known_is_nobodys(scope: Any) -> None:
    record = await sync_to_async(delivery)()
    now = int(time.time())
    token = signed(record.sender, iat=now, exp=now + 60, scope=scope)
    assert await is_nobodys(record, token)


def test_the_command_makes_one_that_reads_only(capsys: pytest.CaptureFixture[str]) -> None:
    person = user()
    for options, reads_only in (({"read_only": True}, True), ({}, False)):
        call_command("realtime_token", person.username, **options)
        claim = bearer.claim_in(capsys.readouterr().out.strip())
        assert claim is not None
        assert (claim.account, claim.reads_only) == (str(person.pk), reads_only)
