"""Writers with transactions that stay open from step to step, and what their commits must have made of the log."""

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from typing import Any, TypeVar

from django.db import connection, connections, transaction

from realtime.testing import capture_at_once
from realtime.tests.deliveries.models import Delivery

Result = TypeVar("Result")
KEYS = [uuid.UUID(int=number + 1 << 64) for number in range(4)]
STATUSES = ["waiting", "moving", "late", "done"]

PEOPLE = 3

Rows = dict[uuid.UUID, str | None]
"""The price of each record: every write gives one that was never there before. ``None``: there is no such record."""


class RollBack(Exception):
    """Ends a savepoint without its work."""


class Thread:
    """A thread with a database connection of its own."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, name)

    async def do(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def end(self) -> None:
        self._pool.submit(connections.close_all).result()
        self._pool.shutdown()


class Table:
    """What is committed, by the writers' own account."""

    def __init__(self, people: list[int]) -> None:
        self.people = people
        self.rows: Rows = dict.fromkeys(KEYS)
        self.versions = dict.fromkeys(KEYS, 0)
        self.undone: set[str] = set()
        """Prices that were rolled back, and must never be seen."""
        self._prices = iter(range(1, 1_000_000))
        self.writers: list[Writer] = []

    def price(self) -> str:
        return f"{Decimal(next(self._prices)) / 100:.2f}"

    def is_held(self, key: uuid.UUID, by: "Writer") -> bool:
        """Return whether another writer has the row: one would wait for him."""
        return any(key in writer.touched for writer in self.writers if writer is not by)

    def commit(self, rows: Rows) -> None:
        for key, price in rows.items():
            if price != self.rows[key]:
                self.versions[key] += 1
                self.rows[key] = price


class Writer:
    """One process that writes: a transaction with savepoints, or each write by itself."""

    def __init__(self, table: Table, thread: Thread) -> None:
        self.table, self.thread = table, thread
        self._blocks: list[Any] = []
        self._saved: list[tuple[Rows, set[str]]] = []
        self._own: Rows = {}
        """What the open transaction has made of rows; others see none of it."""
        self._prices: set[str] = set()
        self.touched: set[uuid.UUID] = set()
        table.writers.append(self)

    async def begin(self, at_once: bool) -> None:
        """Open a transaction, or a savepoint in it. ``at_once``: its events are written with each statement."""
        if not self._blocks:
            self._own, self._prices = {}, set()
        self._saved.append((dict(self._own), set(self._prices)))
        block = transaction.atomic()

        def enter() -> None:
            block.__enter__()
            if at_once:
                capture_at_once()

        await self.thread.do(enter)
        self._blocks.append(block)

    async def end(self, *, fails: bool) -> None:
        """End the innermost block, with its work or without."""
        if not self._blocks:
            return
        block = self._blocks.pop()
        own, prices = self._saved.pop()
        error = RollBack() if fails else None

        def leave() -> None:
            with suppress(RollBack):
                block.__exit__(type(error) if error else None, error, None)

        await self.thread.do(leave)
        if fails:
            self.table.undone |= self._prices - prices
            self._own, self._prices = own, prices
        if not self._blocks:
            if not fails:
                self.table.commit(self._own)
            self.touched = set()

    async def end_all(self, *, fails: bool) -> None:
        while self._blocks:
            await self.end(fails=fails)

    async def write(self, kind: str, number: int, status: int, person: int) -> None:
        """Write one record, or all for ``bulk``; nothing where another writer holds a row, or none is there."""
        keys = KEYS if kind == "bulk" else [KEYS[number]]
        if any(self.table.is_held(key, self) for key in keys):
            return
        by_itself = not self._blocks
        if by_itself:
            await self.begin(at_once=False)
        rows = self.table.rows | self._own
        keys = [key for key in keys if (rows[key] is None) == (kind == "create")]
        if keys:
            price = self.table.price()
            self._prices.add(price)
            self.touched |= set(keys)
            await self.thread.do(lambda: self._perform(kind, keys, STATUSES[status], self.table.people[person], price))
            self._own |= dict.fromkeys(keys, None if kind == "delete" else price)
        if by_itself:
            await self.end(fails=False)

    def _perform(self, kind: str, keys: list[uuid.UUID], status: str, person: int, price: str) -> None:
        if kind == "create":
            other = self.table.people[(self.table.people.index(person) + 1) % PEOPLE]
            Delivery.objects.create(pk=keys[0], sender_id=person, courier_id=other, status=status, price=price)
        elif kind == "delete":
            Delivery.objects.filter(pk__in=keys).delete()
        elif kind == "bulk":
            Delivery.objects.filter(pk__in=keys).update(status=status, price=price)
        elif kind == "sql":
            with connection.cursor() as cursor:
                cursor.execute("UPDATE deliveries_delivery SET price = %s WHERE id = %s", [price, keys[0]])
        else:
            record = Delivery.objects.get(pk=keys[0])
            record.price = Decimal(price)
            if kind == "status":
                record.status = status
            elif kind == "courier":
                record.courier_id = person
            elif kind == "sender":
                record.sender_id = person
            record.save()


KINDS = ["status", "status", "status", "courier", "sender", "sql", "bulk", "delete", "create", "create"]


def blank() -> None:
    """Empty the tables of one history, with triggers off."""
    tables = "deliveries_toll, deliveries_route, deliveries_express, deliveries_delivery_tags, deliveries_delivery"
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(f"TRUNCATE {tables}, realtime_event, realtime_stream, realtime_sweep")
        cursor.execute("UPDATE realtime_epoch SET pos = 0")
        cursor.execute("RESET session_replication_role")


def restore(key: uuid.UUID, version: int, state: dict[str, Any] | None) -> None:
    """Put a record and its log back to ``version``, as a restored backup does."""
    topic = f"delivery.{key}"
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM deliveries_delivery WHERE id = %s", [key])
        if state is not None:
            values = {name: state[name] for name in ("status", "price", "sender_id", "courier_id")}
            Delivery.objects.create(pk=key, **values)
        cursor.execute("DELETE FROM realtime_event WHERE topic = %s AND version > %s", [topic, version])
        cursor.execute(
            "UPDATE realtime_stream s SET version = e.version, state = e.state, transaction = ''"
            " FROM realtime_event e WHERE e.topic = s.topic AND e.version = %s AND s.topic = %s",
            [version, topic],
        )
        cursor.execute("RESET session_replication_role")
