"""Help for the tests of a project that uses ``realtime``: a test case never commits, and capture waits for that."""

from django.db import connections

from . import conf
from .capture.base import by_triggers
from .capture.functions import PREFIX


def capture_at_once(using: str = "") -> None:
    """Have every statement of the open transaction write its events when it ends, not at COMMIT.

    For ``TestCase`` and pytest's ``db``, whose transactions never commit; it ends with the transaction. The events
    of a transaction stay one a topic: a later statement rewrites it. Does nothing where the ORM captures.
    """
    alias = using or conf.current().database
    if by_triggers(alias):
        with connections[alias].cursor() as cursor:
            cursor.execute(f"SET CONSTRAINTS {PREFIX}_flush IMMEDIATE")
