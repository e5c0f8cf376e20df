"""The SQL of the triggers: what marks a touched record, and what writes its event at COMMIT.

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
    """A feed as SQL sees it: the root's table and key, the key's type, and the SELECT of key and state."""

    feed: str
    table: str
    key: str
    key_type: str
    select: str


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


def before(old: str, new: str) -> str:
    """Return the expression for what of ``old`` is another in ``new``: NULL when there was nothing before."""
    return f"""CASE WHEN {old} IS NULL THEN NULL WHEN {new} IS NULL THEN {old} ELSE (
            SELECT coalesce(jsonb_object_agg(o.key, o.value), '{{}}')
            FROM jsonb_each({old}) o WHERE {new} -> o.key IS DISTINCT FROM o.value
        ) END"""


def changed(before: str, new: str) -> str:
    """Return the expression for the names of what changed: all of them when there was nothing before."""
    return f"(SELECT coalesce(jsonb_agg(k), '[]') FROM jsonb_object_keys(coalesce({before}, {new}, '{{}}')) k)"


def state(shape: Shape, schema: str) -> str:
    """Return the function that computes the states of ``wanted``; its text is compiled from the declaration by Django.

    It sets nothing, so that PostgreSQL plans it as a part of the flush that calls it, once a connection; as a function
    by itself it would be planned with each call, which costs more than the rest of the flush.
    """
    return f"""
CREATE OR REPLACE FUNCTION {PREFIX}_state_{shape.feed}(wanted {shape.key_type}[])
RETURNS TABLE (key {shape.key_type}, state jsonb)
LANGUAGE sql STABLE AS $body$
    SELECT q.key, q.state FROM ({shape.select}) AS q (key, state) WHERE q.key = ANY (wanted)
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
DECLARE found text[] := ARRAY({keys});
BEGIN
    IF cardinality(found) > 0 THEN
        INSERT INTO {PREFIX}_marks (feed, keys) VALUES ('{source.feed}', found);
    END IF;
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


def flush(shapes: Iterable[Shape], schema: str) -> str:
    """Return the deferred trigger that writes one event a topic at COMMIT, whatever statements touched it."""
    blocks = "\n".join(_flush_one(shape) for shape in sorted(shapes, key=lambda shape: shape.feed))
    return f"""
CREATE OR REPLACE FUNCTION {PREFIX}_flush() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp
-- Every lookup here is by key. One plan a connection: planning the state anew costs five times what running it does.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $body$
DECLARE
    -- Not the number of the transaction alone: a restored database counts from another place.
    mark CONSTANT text := NEW.transaction || '@' || extract(epoch FROM now());
    actor CONSTANT text := {ACTOR};
    context CONSTANT jsonb := {CONTEXT};
    marked text[];
    topics text[];
    again boolean;
    own record;
    prior jsonb;
    moment timestamptz;
BEGIN
    -- Each touched feed once; a second call in the transaction finds its marks gone.
{blocks}
    RETURN NULL;
EXCEPTION WHEN undefined_column OR undefined_table OR undefined_function THEN
    -- A column was renamed under us. The writer is not stopped; the check says W003, reconcile writes what was missed.
    RAISE WARNING 'realtime: not captured, run migrate: %', SQLERRM;
    DELETE FROM {PREFIX}_marks WHERE transaction = NEW.transaction;
    RETURN NULL;
END $body$;
REVOKE ALL ON FUNCTION {PREFIX}_flush() FROM PUBLIC;
DROP TRIGGER IF EXISTS {PREFIX}_flush ON {PREFIX}_marks;
CREATE CONSTRAINT TRIGGER {PREFIX}_flush AFTER INSERT ON {PREFIX}_marks
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {PREFIX}_flush();
"""


def _flush_one(shape: Shape) -> str:
    """Return the lines that write the events of one feed.

    Order matters: the records' rows first (as services lock them, so that nobody waits crosswise), then the streams,
    both in key order; then the states in a new statement, which sees what was committed before the locks.
    """
    return f"""
    WITH gone AS (
        DELETE FROM {PREFIX}_marks WHERE transaction = NEW.transaction AND feed = '{shape.feed}' RETURNING keys
    )
    SELECT array_agg(DISTINCT k) INTO marked FROM gone, unnest(gone.keys) k;
    IF marked IS NOT NULL THEN
        PERFORM 1 FROM {shape.table} WHERE {shape.key} = ANY (marked::{shape.key_type}[])
        ORDER BY {shape.key} FOR KEY SHARE;
        topics := ARRAY(SELECT '{shape.feed}.' || k FROM unnest(marked) k ORDER BY ('{shape.feed}.' || k) COLLATE "C");
        INSERT INTO realtime_stream (topic, version, changed, at, transaction)
        SELECT t, 0, '[]', clock_timestamp(), '' FROM unnest(topics) t ON CONFLICT (topic) DO NOTHING;
        SELECT bool_or(l.transaction = mark) INTO again FROM (
            SELECT s.transaction FROM realtime_stream s WHERE s.topic = ANY (topics)
            ORDER BY s.topic COLLATE "C" FOR UPDATE
        ) l;
        moment := clock_timestamp();
        IF again THEN
{_rewrite(shape)}
        END IF;
        WITH changes AS (
            SELECT s.topic, s.version + 1 AS version, n.state, {before("s.state", "n.state")} AS before
            FROM realtime_stream s LEFT JOIN {PREFIX}_state_{shape.feed}(marked::{shape.key_type}[]) n
            ON s.topic = '{shape.feed}.' || n.key
            WHERE s.topic = ANY (topics) AND s.state IS DISTINCT FROM n.state
        ), advanced AS (
            UPDATE realtime_stream s SET version = c.version, state = c.state, at = moment,
                changed = {changed("c.before", "c.state")}, transaction = mark
            FROM changes c WHERE s.topic = c.topic
        )
        INSERT INTO realtime_event (topic, version, state, before, actor, context, at)
        SELECT topic, version, state, before, left(actor, 100), context, moment
        FROM changes ORDER BY topic COLLATE "C";
    END IF;
"""


def _rewrite(shape: Shape) -> str:
    """Return the lines for a second flush of one transaction (SET CONSTRAINTS IMMEDIATE).

    Its event is written anew, or taken back when it left nothing.
    """
    return f"""
        FOR own IN
            SELECT s.topic, s.version, s.state AS old, n.state AS new, e.before
            FROM realtime_stream s
            JOIN realtime_event e ON e.topic = s.topic AND e.version = s.version AND e.pos IS NULL
            LEFT JOIN {PREFIX}_state_{shape.feed}(marked::{shape.key_type}[]) n ON s.topic = '{shape.feed}.' || n.key
            WHERE s.topic = ANY (topics) AND s.transaction = mark AND s.state IS DISTINCT FROM n.state
        LOOP
            prior := CASE WHEN own.before IS NULL THEN NULL ELSE coalesce(own.old, '{{}}') || own.before END;
            IF prior IS NOT DISTINCT FROM own.new THEN
                DELETE FROM realtime_event WHERE topic = own.topic AND version = own.version;
                UPDATE realtime_stream SET version = version - 1, state = own.new, transaction = ''
                WHERE topic = own.topic;
            ELSE
                prior := {before("prior", "own.new")};
                UPDATE realtime_event e SET state = own.new, before = prior, at = moment
                WHERE e.topic = own.topic AND e.version = own.version;
                UPDATE realtime_stream SET state = own.new, at = moment, changed = {changed("prior", "own.new")}
                WHERE topic = own.topic;
            END IF;
        END LOOP;
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
