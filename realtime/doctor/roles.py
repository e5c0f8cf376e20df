"""Who may write the synchronised tables, and who does so with triggers off."""

from collections.abc import Iterator
from typing import Any

from ..capture.sources import held_models
from .finding import RECONCILE, Finding

_WRITERS = """
    SELECT r.rolname, r.rolsuper FROM pg_roles r
    WHERE r.rolcanlogin AND EXISTS (
        SELECT 1 FROM unnest(%s::text[]) AS place
        WHERE to_regclass(place) IS NOT NULL AND (
            has_table_privilege(r.oid, to_regclass(place), 'INSERT, UPDATE, DELETE, TRUNCATE')
            OR has_any_column_privilege(r.oid, to_regclass(place), 'INSERT, UPDATE')
        )
    )
    ORDER BY r.rolname
"""
_WITHOUT_TRIGGERS = """
    SELECT coalesce(r.rolname, 'every role'), coalesce(d.datname, 'every database')
    FROM pg_db_role_setting s
    LEFT JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE 'session_replication_role=replica' = ANY (s.setconfig)
        AND (d.datname IS NULL OR d.datname = current_database())
    ORDER BY 1, 2
"""


def examine(connection: Any) -> Iterator[Finding]:
    """Yield the roles that may write, and a failure for each whose sessions begin with triggers off."""
    tables = [connection.ops.quote_name(model._meta.db_table) for model in held_models()]
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS, [tables])
        writers = cursor.fetchall()
        cursor.execute(_WITHOUT_TRIGGERS)
        without = cursor.fetchall()
    names = ", ".join(name for name, _ in writers)
    supers = ", ".join(name for name, is_super in writers if is_super) or "none"
    yield Finding("ok", f"roles that may write synchronised tables: {names}; superusers among them: {supers}")
    for role, database in without:
        remedy = f"ALTER ROLE … RESET session_replication_role, then {RECONCILE}"
        yield Finding("FAIL", f"{role} in {database} writes with triggers off (session_replication_role)", remedy)
