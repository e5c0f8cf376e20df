"""The SQL of the triggers: what marks a touched record, and what computes its state; ``flush`` writes its event.

Form (what a prototype showed, see docs/adr/0008): statement triggers with transition tables put the touched keys into
an unlogged table; one deferred constraint trigger on *that* table flushes all keys of the transaction once. It holds
for every write path, and locks streams in key order whatever the order of the writes.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

PREFIX = "realtime_capture"
"""Every function, trigger and table of the capture begins with it."""


EVENTS = {"insert": ("new",), "update": ("old", "new"), "delete": ("old",)}
"""What a statement does to rows, and which of them there are to look at."""


@dataclass(frozen=True, slots=True)
class Source:
    """A table whose rows are a part of a feed's state: ``column`` holds the record's key.

    With ``home`` the key stands in another table of the same row (inherited models): ``column`` equals its
    ``home_key``, and its ``home_owner`` is the record's key.
    """

    feed: str
    table: str
    column: str
    home: str = ""
    home_key: str = ""
    home_owner: str = ""

    @property
    def name(self) -> str:
        """A name that PostgreSQL does not cut (63 bytes with the event behind it) and no other table has."""
        table = re.sub(r"\W", "", self.table).lower()[:15]
        digest = hashlib.sha256(f"{self.feed} {self.table} {self.column}".encode()).hexdigest()[:8]
        return f"{PREFIX}_{self.feed[:10]}_{table}_{digest}"

    @property
    def triggers(self) -> list[str]:
        return [f"{self.name}_{event}" for event in (*EVENTS, "truncate")]


@dataclass(frozen=True, slots=True)
class End:
    """A table at the end of a relation: when one of ``columns`` changes, the row's key is kept for the sweep."""

    feed: str
    relation: str
    table: str
    key: str
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        digest = hashlib.sha256(f"{self.feed} {self.relation} {self.table}".encode()).hexdigest()[:8]
        return f"{PREFIX}_{self.feed[:10]}_end_{digest}"


@dataclass(frozen=True, slots=True)
class Shape:
    """A feed as SQL sees it: the root's table and key, the key's type, the SELECT of key and state, its names."""

    feed: str
    table: str
    key: str
    key_type: str
    select: str
    names: tuple[str, ...]


MARKS = f"""
CREATE UNLOGGED TABLE IF NOT EXISTS {PREFIX}_marks (
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(), feed text NOT NULL, keys text[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX IF NOT EXISTS {PREFIX}_marks_transaction ON {PREFIX}_marks (transaction);
-- Rows that are written again and again stay on their page, and no index is touched (HOT).
ALTER TABLE realtime_stream SET (fillfactor = 50);
ALTER TABLE realtime_epoch SET (fillfactor = 10);
"""

ACTOR = "coalesce(nullif(current_setting('realtime.actor', true), ''), 'role:' || session_user)"

# What was said can be forged by whoever may write; the role cannot.
CONTEXT = """jsonb_strip_nulls(jsonb_build_object('role', session_user,
        'source', coalesce(nullif(current_setting('realtime.source', true), ''), 'sql'),
        'request', nullif(current_setting('realtime.request', true), ''),
        'reason', nullif(current_setting('realtime.reason', true), '')))"""


def state(shape: Shape, schema: str) -> str:
    """Return the function that computes the states of ``wanted``; its text is compiled from the declaration by Django.

    A row for each key, in their order, with the state NULL where there is no record. It sets nothing, so that
    PostgreSQL plans it as a part of the flush that calls it, once a connection; as a function by itself it would be
    planned with each call, which costs more than the rest of the flush.
    """
    return f"""
CREATE OR REPLACE FUNCTION {PREFIX}_state_{shape.feed}(wanted {shape.key_type}[])
RETURNS TABLE (key {shape.key_type}, state jsonb)
LANGUAGE sql STABLE AS $body$
    SELECT w.key, q.state FROM unnest(wanted) AS w (key) LEFT JOIN ({shape.select}) AS q (key, state) ON q.key = w.key
$body$;
REVOKE ALL ON FUNCTION {PREFIX}_state_{shape.feed}({shape.key_type}[]) FROM PUBLIC;
"""


def mark(source: Source, schema: str) -> str:
    """Return the triggers of one table: each statement marks the records that its rows belong to, before and after."""
    parts = [_marking(source, schema, event, rows) for event, rows in EVENTS.items()]
    return "\n".join([*parts, _truncating(source, schema)])


def _marking(source: Source, schema: str, event: str, rows: Iterable[str]) -> str:
    name = f"{source.name}_{event}"
    keys = " UNION ".join(_owners(source, f"{row}_rows") for row in rows)
    tables = " ".join(f"{row.upper()} TABLE AS {row}_rows" for row in rows)
    return f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $body$
BEGIN
    INSERT INTO {PREFIX}_marks (feed, keys)
    SELECT '{source.feed}', array_agg(found.key) FROM ({keys}) found (key) HAVING count(*) > 0;
    RETURN NULL;
END $body$;
REVOKE ALL ON FUNCTION {name}() FROM PUBLIC;
CREATE OR REPLACE TRIGGER {name} AFTER {event.upper()} ON {source.table}
REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION {name}();
"""


def _owners(source: Source, rows: str) -> str:
    if not source.home:
        return f"SELECT {source.column}::text FROM {rows} WHERE {source.column} IS NOT NULL"
    way = f"{source.home} h ON h.{source.home_key} = r.{source.column}"
    return f"SELECT h.{source.home_owner}::text FROM {rows} r JOIN {way} WHERE h.{source.home_owner} IS NOT NULL"


def follow(end: End, schema: str) -> str:
    """Return the trigger that keeps a related row's key for the sweep, in the writer's transaction."""
    changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in end.columns)
    return f"""
CREATE OR REPLACE FUNCTION {end.name}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $body$
BEGIN
    INSERT INTO realtime_sweep (feed, relation, key, after, actor, context, at)
    VALUES ('{end.feed}', '{end.relation}', NEW.{end.key}::text, '', left({ACTOR}, 100), {CONTEXT}, clock_timestamp());
    RETURN NULL;
END $body$;
REVOKE ALL ON FUNCTION {end.name}() FROM PUBLIC;
CREATE OR REPLACE TRIGGER {end.name} AFTER UPDATE ON {end.table}
FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {end.name}();
"""


def _truncating(source: Source, schema: str) -> str:
    name = f"{source.name}_truncate"
    return f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $body$
BEGIN
    INSERT INTO {PREFIX}_marks (feed, keys)
    SELECT '{source.feed}', array_agg(substr(s.topic, {len(source.feed) + 2}))
    FROM realtime_stream s
    WHERE s.state IS NOT NULL AND s.topic LIKE '{source.feed}.%' HAVING count(*) > 0;
    RETURN NULL;
END $body$;
REVOKE ALL ON FUNCTION {name}() FROM PUBLIC;
CREATE OR REPLACE TRIGGER {name} AFTER TRUNCATE ON {source.table}
FOR EACH STATEMENT EXECUTE FUNCTION {name}();
"""


DROP = f"""
DO $body$
DECLARE found record;
BEGIN
    FOR found IN
        SELECT tgname, tgrelid::regclass AS place FROM pg_trigger
        WHERE tgname LIKE '{PREFIX}\\_%' AND NOT tgisinternal
    LOOP EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.place); END LOOP;
    FOR found IN
        SELECT p.oid::regprocedure AS what FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.proname LIKE '{PREFIX}\\_%' AND n.nspname = current_schema()
    LOOP EXECUTE format('DROP FUNCTION %s', found.what); END LOOP;
END $body$;
"""
