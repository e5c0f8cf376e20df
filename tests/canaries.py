"""A value in every column that nothing else looks like, and everything that leaves the house for one person."""

import asyncio
import datetime
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from decimal import Decimal
from typing import Any

from asgiref.sync import sync_to_async
from django.apps import apps
from django.db import models
from django.db.models.fields.related import ForeignKey
from django.test import AsyncClient, Client

from accounts.models import User
from realtime.testing import connect_as

FLOORS = ("orders", "games", "wallet", "vault")
PATIENCE = 30.0


def columns() -> Iterator[tuple[type[models.Model], models.Field]]:
    """Every column of every model that has to do with orders."""
    for config in apps.get_app_configs():
        if config.name.split(".")[0] in FLOORS:
            for model in config.get_models():
                for column in model._meta.concrete_fields:
                    yield model, column


def name_of(model: type[models.Model], column: models.Field) -> str:
    return f"{model.__name__}.{column.name}"


def can_be_marked(column: models.Field) -> bool:
    """Whether any value will do: not for keys, choices, flags, and what the rules of a game bind."""
    return not (
        column.primary_key
        or isinstance(column, ForeignKey | models.BooleanField | models.SlugField | models.PositiveSmallIntegerField)
        or column.choices
    )


def marker(column: models.Field, number: int) -> Any:
    """Return a value for ``column`` that is found again by ``pattern``."""
    match column:
        case models.DecimalField():
            return Decimal(f"{61000 + number * 11}.{number % 90 + 10}")
        case models.DateTimeField():
            # No number that a stream gives with ``retry:`` looks like such a year: they are 1500 to 4500.
            return datetime.datetime(8100 + number, 6, 7, 8, 9, 10, tzinfo=datetime.UTC)
        case models.GenericIPAddressField():
            return f"203.0.113.{number}"
        case models.PositiveIntegerField():
            return 8_700_000 + number
        case _:
            return f"cnry{number:03}x"[: column.max_length]


def pattern(value: Any) -> re.Pattern[str]:
    """Return what a marker looks like wherever it is written: a moment shows at least its year."""
    text = str(value.year) if isinstance(value, datetime.datetime) else str(value)
    return re.compile(rf"(?<![\w.]){re.escape(text)}(?!\d)")


def write(row: models.Model, markers: dict[str, Any]) -> None:
    """Store ``markers`` in ``row`` past its services and its append-only manager."""
    models.QuerySet(type(row)).filter(pk=row.pk).update(**markers)


PATHS = (
    "/", "/orders/rows/", "/orders/{}/", "/orders/{}/parts/", "/orders/{}/history/", "/orders/{}/history.csv",
    "/orders/{}/history.json", "/orders/{}/history/{version}/", "/api/me", "/api/orders", "/api/orders?board=available",
    "/api/orders/{}", "/api/orders/{}/state", "/api/orders/{}/events?limit=200", "/api/orders/{}/transactions",
    "/api/orders/{}/disputes", "/api/orders/{}/account", "/api/wallet", "/api/wallet/transactions",
)  # fmt: skip
SITE = (
    "orders/baseorder", "orders/decision", "orders/dispute", "orders/heldpayout", "orders/post", "wallet/transaction",
    "vault/gameaccount", "vault/reading", "leagueOfLegends/leagueoflegendsdivisionorder", "leagueOfLegends/rank",
)  # fmt: skip


def _body(answer: Any) -> str:
    content = b"".join(answer) if answer.streaming else answer.content
    return str(answer.headers) + content.decode()


def pages(user: User, order_id: int, version: int) -> dict[str, str]:
    """Return what ``user`` gets by HTTP, by path; no account data is asked for."""
    browser = Client()
    browser.force_login(user)
    found = {path: _body(browser.get(path.format(order_id, version=version))) for path in PATHS}
    for topic in ("orders:mine", "orders:available", "orders:all", f"order:{order_id}"):
        body = json.dumps({"topic": topic, "mode": "latest"})
        found[f"sync {topic}"] = _body(browser.post("/api/orders/sync", body, content_type="application/json"))
    return found


def site_pages(user: User) -> dict[str, str]:
    """Return the admin site as ``user`` sees it: every list, and every row of it that opens."""
    browser, found = Client(), {}
    browser.force_login(user)
    for path in SITE:
        found[path] = listed = _body(browser.get(f"/admin/{path}/"))
        for link in set(re.findall(rf'href="(/admin/{path}/\d+/change/)', listed)):
            found[link] = _body(browser.get(link))
    return found


async def lines(user: User, order_id: int, version: int) -> dict[str, str]:
    """Return what ``user`` gets over sockets and streams, up to the state of ``version`` or the refusal."""
    found = {}
    async with connect_as(user, f"/ws/orders/{order_id}/") as plain:
        while await plain.read() is not None and plain.frames[-1]["version"] < version:
            pass
    found["plain socket"] = json.dumps(plain.frames)
    async with connect_as(user, "/ws/orders/", protocol="order-sync.v1") as sync:
        await sync.next()
        topics = (f"order:{order_id}", "orders:mine", "orders:available", "orders:all")
        for topic in topics:
            await sync.say(type="subscribe", id=topic, topic=topic)
            while (await sync.next())["type"] not in ("synced", "error"):
                pass
    found["sync socket"] = json.dumps(sync.frames)
    for path in (f"/api/orders/{order_id}/stream", "/api/orders/stream?topic=mine"):
        found[path] = await _stream(user, path)
    return found


async def _stream(user: User, path: str) -> str:
    """Read a stream until its first state is whole, or its board is complete."""
    browser, text = AsyncClient(), ""
    await sync_to_async(browser.force_login)(user)
    answer = await browser.get(path)
    if not answer.streaming:
        return str(answer.content.decode())
    async with asyncio.timeout(PATIENCE), aclosing(_chunks(answer)) as chunks:
        async for chunk in chunks:
            text += chunk
            if re.search(r"event: (order\.update|synced|goodbye)\n(.+\n)*\n", text):
                break
    return text


async def _chunks(answer: Any) -> AsyncIterator[str]:
    async for chunk in answer.streaming_content:
        yield chunk.decode()
