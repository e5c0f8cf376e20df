"""The SQL of the deferred trigger: at COMMIT one event for each record that differs from its last logged state.

One path for a transaction that touched one record, as most do, and one for many. Both lock and compare alike.
"""

import json
from collections.abc import Iterable

from .functions import ACTOR, CONTEXT, PREFIX, Shape


def flush(shapes: Iterable[Shape], schema: str) -> str:
    """Return the deferred trigger that writes one event a topic at COMMIT, whatever statements touched it."""
    blocks = "\n".join(_flush_feed(shape) for shape in sorted(shapes, key=lambda shape: shape.feed))
    return f"""
CREATE OR REPLACE FUNCTION {PREFIX}_flush() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp
-- Every lookup here is by key. One plan a connection: planning the state anew costs five times what running it does.
-- That plan knows no number of keys: what joins them otherwise than key by key compares each of a thousand with each.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $body$
DECLARE
    -- Not the number of the transaction alone: a restored database counts from another place.
    mark CONSTANT text := NEW.transaction || '@' || extract(epoch FROM now());
    actor CONSTANT text := {ACTOR};
    context CONSTANT jsonb := {CONTEXT};
    marked text[];
    its_topic text;
    head record;
    own_state jsonb;
    topics text[];
    again boolean;
    own record;
    prior jsonb;
    common text[];
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


def _flush_feed(shape: Shape) -> str:
    """Return the lines that write the events of one feed.

    Order matters: the records' rows first (as services lock them, so that nobody waits crosswise), then the streams,
    both in key order; then the states in a new statement, which sees what was committed before the locks.
    """
    return f"""
    WITH gone AS (
        DELETE FROM {PREFIX}_marks WHERE transaction = NEW.transaction AND feed = '{shape.feed}' RETURNING keys
    )
    SELECT array_agg(k) INTO marked FROM gone, unnest(gone.keys) k;
    IF marked[1] = ALL (marked) THEN
{_flush_record(shape)}
    END IF;
    IF marked IS NOT NULL THEN
{_flush_records(shape)}
    END IF;
"""


def _flush_record(shape: Shape) -> str:
    """Return the lines for a transaction that touched one record: the same as for many, by plans that sort nothing.

    Most transactions are that, and to start the plans for many takes longer than to run them.
    """
    key = f"marked[1]::{shape.key_type}"
    lock = (
        "SELECT s.version, s.state, s.transaction INTO head FROM realtime_stream s WHERE s.topic = its_topic FOR UPDATE"
    )
    return f"""
        its_topic := '{shape.feed}.' || marked[1];
        PERFORM 1 FROM {shape.table} WHERE {shape.key} = {key} FOR KEY SHARE;
        {lock};
        IF NOT FOUND THEN
            INSERT INTO realtime_stream (topic, version, changed, at, transaction)
            VALUES (its_topic, 0, '[]', clock_timestamp(), '') ON CONFLICT (topic) DO NOTHING;
            {lock};
        END IF;
        IF head.transaction <> mark THEN
            moment := clock_timestamp();
            SELECT q.state INTO own_state FROM ({shape.select}) AS q (key, state) WHERE q.key = {key};
            IF head.state IS DISTINCT FROM own_state THEN
                common := {_same(shape, "head.state", "own_state")};
                UPDATE realtime_stream s SET version = head.version + 1, state = own_state, at = moment,
                    changed = {_names(shape)} - common, transaction = mark
                WHERE s.topic = its_topic;
                INSERT INTO realtime_event (topic, version, state, before, actor, context, at)
                VALUES (its_topic, head.version + 1, own_state, head.state - common, left(actor, 100), context, moment);
            END IF;
            marked := NULL;
        END IF;
"""


def _flush_records(shape: Shape) -> str:
    """Return the lines for a transaction that touched several records, or whose record has an event of it already."""
    topic = f"'{shape.feed}.' ||"
    return f"""
        SELECT array_agg(t.key ORDER BY t.topic COLLATE "C"), array_agg(t.topic ORDER BY t.topic COLLATE "C"),
            bool_or(s.topic IS NULL)
        INTO marked, topics, again
        FROM (SELECT DISTINCT {topic} k AS topic, k AS key FROM unnest(marked) k) t
        LEFT JOIN realtime_stream s ON s.topic = t.topic;
        PERFORM 1 FROM {shape.table} WHERE {shape.key} = ANY (marked::{shape.key_type}[])
        ORDER BY {shape.key} FOR KEY SHARE;
        IF again THEN  -- a record that has no stream yet
            INSERT INTO realtime_stream (topic, version, changed, at, transaction)
            SELECT t, 0, '[]', clock_timestamp(), '' FROM unnest(topics) t ON CONFLICT (topic) DO NOTHING;
        END IF;
        SELECT bool_or(l.transaction = mark) INTO again FROM (
            SELECT s.transaction FROM realtime_stream s WHERE s.topic = ANY (topics)
            ORDER BY s.topic COLLATE "C" FOR UPDATE
        ) l;
        moment := clock_timestamp();
        IF again THEN
{_rewrite(shape)}
        END IF;
        WITH changes AS (
            SELECT c.topic, c.version, c.was, c.state, {_same(shape, "c.was", "c.state")} AS same
            FROM (
                -- Evaluated once, unpacked once, and fenced: each name above looks into both.
                SELECT s.topic, s.version + 1 AS version, s.state || '{{}}' AS was, n.state
                FROM {PREFIX}_state_{shape.feed}(marked::{shape.key_type}[]) n
                JOIN realtime_stream s ON s.topic = {topic} n.key
                WHERE s.state IS DISTINCT FROM n.state
                OFFSET 0
            ) c
        ), advanced AS (
            UPDATE realtime_stream s SET version = c.version, state = c.state, at = moment,
                changed = {_names(shape)} - c.same, transaction = mark
            FROM changes c WHERE s.topic = c.topic
        )
        INSERT INTO realtime_event (topic, version, state, before, actor, context, at)
        SELECT topic, version, state, was - same, left(actor, 100), context, moment
        FROM changes;
"""


def _same(shape: Shape, was: str, now: str) -> str:
    """Return the expression for the names that two states have in common, as text[]; none when one is NULL.

    Taken away from the old state and from the list of names they leave what changed: a third of what a query over
    ``jsonb_each`` takes. A name that only the old state has, declared no
    more, stays in what was before.
    """
    each = ", ".join(
        f"CASE WHEN coalesce({was} -> {name} = {now} -> {name}, true) THEN {name} END"
        for name in map(_literal, shape.names)
    )
    return f"CASE WHEN {was} IS NULL OR {now} IS NULL THEN '{{}}' ELSE array_remove(ARRAY[{each}], NULL) END"


def _names(shape: Shape) -> str:
    return f"{_literal(json.dumps(shape.names))}::jsonb"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _rewrite(shape: Shape) -> str:
    """Return the lines for a second flush of one transaction (SET CONSTRAINTS IMMEDIATE).

    Its event is written anew, or taken back when it left nothing.
    """
    return f"""
        FOR own IN
            SELECT s.topic, s.version, s.state AS old, n.state AS new, e.before
            FROM {PREFIX}_state_{shape.feed}(marked::{shape.key_type}[]) n
            JOIN realtime_stream s ON s.topic = '{shape.feed}.' || n.key
            JOIN realtime_event e ON e.topic = s.topic AND e.version = s.version AND e.pos IS NULL
            WHERE s.transaction = mark AND s.state IS DISTINCT FROM n.state
        LOOP
            prior := CASE WHEN own.before IS NULL THEN NULL ELSE coalesce(own.old, '{{}}') || own.before END;
            IF prior IS NOT DISTINCT FROM own.new THEN
                DELETE FROM realtime_event WHERE topic = own.topic AND version = own.version;
                UPDATE realtime_stream SET version = version - 1, state = own.new, transaction = ''
                WHERE topic = own.topic;
            ELSE
                common := {_same(shape, "prior", "own.new")};
                UPDATE realtime_event e SET state = own.new, before = prior - common, at = moment
                WHERE e.topic = own.topic AND e.version = own.version;
                UPDATE realtime_stream SET state = own.new, at = moment, changed = {_names(shape)} - common
                WHERE topic = own.topic;
            END IF;
        END LOOP;
"""
