"""A witness of every committed change that shares nothing with the capture, and the comparison with the log.

Plain row triggers write down what each row became, in which transaction. A row's lock is held to the end of its
transaction, so for one key their sequence is the order of commits; what is rolled back goes with its transaction.
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db import connection

from realtime import relay
from realtime.feeds import key_of
from realtime.models import Event, Stream
from realtime.tests.deliveries.feeds import DeliveryFeed

State = dict[str, Any] | None
COLUMNS = ("sender_id", "courier_id", "status", "price")

POSTGRES = """
CREATE TABLE witness (seq bigserial, tx bigint DEFAULT txid_current(), pk text, state text);
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO witness (pk, state) SELECT coalesce(NEW.id, OLD.id)::text, CASE WHEN TG_OP <> 'DELETE' THEN
        json_build_array(NEW.sender_id, NEW.courier_id, NEW.status, NEW.price::text)::text END;
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER INSERT OR UPDATE OR DELETE ON deliveries_delivery
FOR EACH ROW EXECUTE FUNCTION witness();
"""
_WRITES = (
    ("INSERT", "NEW", "json_array(NEW.sender_id, NEW.courier_id, NEW.status, NEW.price)"),
    ("UPDATE", "NEW", "json_array(NEW.sender_id, NEW.courier_id, NEW.status, NEW.price)"),
    ("DELETE", "OLD", "NULL"),
)
SQLITE = """
CREATE TABLE witness (seq integer PRIMARY KEY AUTOINCREMENT, tx integer DEFAULT 0, pk text, state text);
""" + "".join(
    f"""CREATE TRIGGER witness_{event} AFTER {event} ON deliveries_delivery BEGIN
    INSERT INTO witness (pk, state) VALUES ({row}.id, {state}); END;
    """
    for event, row, state in _WRITES
)

MARIADB = [
    """CREATE TABLE witness (
    seq bigint AUTO_INCREMENT PRIMARY KEY, tx bigint DEFAULT 0, pk varchar(36), state text
)""",
    *(
        f"""CREATE TRIGGER witness_{event} AFTER {event} ON deliveries_delivery FOR EACH ROW
    INSERT INTO witness (pk, state) VALUES ({row}.id, {state})"""
        for event, row, state in _WRITES
    ),
]
NAMES_TRANSACTIONS = connection.vendor == "postgresql"


class Witness:
    """What was committed since it was asked to ``begin``."""

    def begin(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM witness")
        last = Event.objects.order_by("-id").first()
        self._since = last.pk if last else 0

    def go_on(self) -> None:
        """Tell the databases that do not name their transactions that what follows is another one."""
        if not NAMES_TRANSACTIONS:
            with connection.cursor() as cursor:
                cursor.execute("UPDATE witness SET tx = tx - 1")

    def histories(self, *, apart: bool) -> dict[str, list[State]]:
        """Return the states that each topic went through, commit by commit; ``None`` is a row that is gone.

        Where transactions have no name, ``apart`` says that each write was one, else all since ``go_on`` were one.
        """
        with connection.cursor() as cursor:
            cursor.execute("SELECT pk, tx, state FROM witness ORDER BY pk, seq")
            rows = cursor.fetchall()
        found: dict[str, list[State]] = {}
        for key, of_key in groupby(rows, key=lambda row: row[0]):
            states: list[State] = []
            each = apart and not NAMES_TRANSACTIONS
            numbered = [(number if each else tx, text) for number, (_, tx, text) in enumerate(of_key)]
            for _, of_transaction in groupby(numbered, key=lambda row: row[0]):
                state = _state(list(of_transaction)[-1][1])
                if state != (states[-1] if states else None):
                    states.append(state)
            if states:
                found[DeliveryFeed.topic(uuid.UUID(key))] = states
        return found

    def changes(self, *, apart: bool) -> int:
        return sum(map(len, self.histories(apart=apart).values()))

    def assert_agrees(self, *, apart: bool) -> None:
        """Assert that the events written since are the changes: each once, dense, in commit order, with ``before``."""
        relay.wake()  # a program without Django wakes nobody
        assert relay.rest(60)
        events = list(Event.objects.filter(pk__gt=self._since).order_by("topic", "version"))
        logged = {topic: list(of_topic) for topic, of_topic in groupby(events, key=lambda event: event.topic)}
        seen = {topic: [_columns(event.state) for event in of_topic] for topic, of_topic in logged.items()}
        assert seen == self.histories(apart=apart)
        for of_topic in logged.values():
            assert_chained(of_topic)
        positions = sorted(event.pos or 0 for event in events)
        assert positions == [positions[0] + number for number in range(len(positions))], "settled, each once"


def assert_chained(events: Sequence[Event]) -> None:
    """Assert of all events of a topic: versions are 1, 2, 3 …, ``before`` leads back, the last state is the row."""
    assert [event.version for event in events] == list(range(1, len(events) + 1))
    assert [event.pos for event in events] == sorted(event.pos or 0 for event in events)
    state: State = None
    for event in events:
        if state is None or event.state is None:
            assert event.before == state
        else:
            assert event.before == {name: old for name, old in state.items() if event.state[name] != old}
        state = event.state
    topic = events[-1].topic
    stream = Stream.objects.get(topic=topic)
    assert (stream.version, stream.state) == (events[-1].version, events[-1].state)
    toll = state and state["last_toll"] and {name: state["last_toll"][name] for name in ("id", "amount")}
    assert (state and state | {"last_toll": toll}) == _row(key_of(topic))


def _state(text: str | None) -> State:
    if text is None:
        return None
    state = dict(zip(COLUMNS, json.loads(text), strict=True))
    return state | {"price": f"{Decimal(str(state['price'])):.2f}"}


def _columns(state: State) -> State:
    return state and {name: state[name] for name in COLUMNS}


def _row(key: uuid.UUID) -> State:
    """Return the whole state of a row, by SQL that was written for this test."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.sender_id, d.courier_id, d.status, d.price, c.username, coalesce(r.town, 'nowhere'), t.id,"
            " t.amount FROM deliveries_delivery d LEFT JOIN accounts_user c ON c.id = d.courier_id"
            " LEFT JOIN deliveries_route r ON r.delivery_id = d.id LEFT JOIN deliveries_toll t ON t.id ="
            " (SELECT max(id) FROM deliveries_toll WHERE delivery_id = d.id AND kind = 'road') WHERE d.id = %s",
            [str(key) if connection.features.has_native_uuid_field else key.hex],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    *columns, price, courier, town, toll, amount = row
    toll = toll and {"id": toll, "amount": f"{Decimal(str(amount)):.2f}"}
    named = dict(zip(COLUMNS, [*columns, f"{Decimal(str(price)):.2f}"], strict=True))
    return named | {"courier_name": courier, "town": town, "last_toll": toll, "tags": []}  # no path writes a tag


@contextmanager
def watching() -> Iterator[Witness]:
    """A witness on the test database, where nothing else writes; it leaves with its triggers and its table."""
    triggers = ["witness"] if NAMES_TRANSACTIONS else [f"witness_{event}" for event, *_ in _WRITES]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executescript(SQLITE)
        else:
            for statement in MARIADB if connection.vendor == "mysql" else [POSTGRES]:
                cursor.execute(statement)
    try:
        yield Witness()
    finally:
        with connection.cursor() as cursor:
            for name in triggers:
                cursor.execute(f"DROP TRIGGER {name}" + (" ON deliveries_delivery" if NAMES_TRANSACTIONS else ""))
            if NAMES_TRANSACTIONS:
                cursor.execute("DROP FUNCTION witness")
            cursor.execute("DROP TABLE witness")
