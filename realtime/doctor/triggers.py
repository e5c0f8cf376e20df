"""The triggers of each synchronised table: there, switched on, and those of the declarations."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from ..capture import inspection
from .finding import RECONCILE, Finding


def examine(connection: Any) -> Iterator[Finding]:
    """Yield a finding a table, and one for the declarations."""
    if not inspection.is_migrated(connection):
        yield Finding("FAIL", "the tables of the log are missing", "run migrate")
        return
    by_table = sorted(inspection.triggers(connection), key=lambda trigger: trigger.table)
    for table, found in groupby(by_table, key=lambda trigger: trigger.table):
        troubles = {trigger.name: trigger.trouble for trigger in found if trigger.trouble}
        if troubles:
            what = ", ".join(sorted(set(troubles.values())))
            yield Finding("FAIL", f"{table}: triggers {what}", f"run migrate, then {RECONCILE[4:]}", troubles)
        else:
            yield Finding("ok", f"{table}: triggers in force")
    if inspection.is_stale(connection):
        what = "the triggers are not those of the declarations"
        yield Finding("FAIL", what, f"run migrate with this version of the code, then {RECONCILE[4:]}")
    else:
        yield Finding("ok", "the triggers are those of the declarations")
    for feed, reason in inspection.broken(connection).items():
        yield Finding("FAIL", f"nothing is captured of {feed}: {reason}", f"run migrate, then {RECONCILE[4:]}")
    with connection.cursor() as cursor:
        cursor.execute("SHOW session_replication_role")
        (role,) = cursor.fetchone()
    if role == "replica":
        remedy = "reset session_replication_role for this role, this database or the server"
        yield Finding("FAIL", "this very session writes with triggers off", remedy)
