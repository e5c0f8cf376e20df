from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

# One call instead of five statements: a round of the relay is one message and one flush of the log.
# Each statement of a function in plpgsql sees what was committed before it: the second look comes after the lock.
SETTLE = """
CREATE OR REPLACE FUNCTION realtime_settle(most integer)
RETURNS TABLE (epoch text, pos bigint, topic text, version bigint, state jsonb, before jsonb, at timestamptz)
LANGUAGE plpgsql SET enable_seqscan = off AS $body$
#variable_conflict use_column
DECLARE
    head realtime_epoch%ROWTYPE;
    due bigint[];
BEGIN
    IF NOT EXISTS (SELECT FROM realtime_event e WHERE e.pos IS NULL) THEN
        RETURN;
    END IF;
    LOOP
        SELECT * INTO head FROM realtime_epoch h WHERE h.id = 1 FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO realtime_epoch (id, epoch, pos) VALUES (1, replace(gen_random_uuid()::text, '-', ''), 0)
        ON CONFLICT (id) DO NOTHING;
    END LOOP;
    due := ARRAY(SELECT e.id FROM realtime_event e WHERE e.pos IS NULL ORDER BY e.id LIMIT most);
    IF cardinality(due) > 0 THEN
        UPDATE realtime_epoch h SET pos = h.pos + cardinality(due) WHERE h.id = 1;
        RETURN QUERY
            UPDATE realtime_event e SET pos = head.pos + given.place
            FROM unnest(due) WITH ORDINALITY AS given (id, place) WHERE e.id = given.id
            RETURNING head.epoch::text, e.pos, e.topic::text, e.version, e.state, e.before, e.at;
    END IF;
END $body$
"""


def make(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(SETTLE, params=None)


def drop(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP FUNCTION realtime_settle(integer)")


class Migration(migrations.Migration):
    dependencies = [("realtime", "0003_sweep")]

    operations = [migrations.RunPython(make, drop)]
