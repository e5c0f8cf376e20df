"""The triggers come and go with ``migrate``: off before a migration, in force after it."""

import logging
from typing import Any

from django.db import connections

from . import conf
from .capture import inspection, postgres
from .capture.base import by_triggers

logger = logging.getLogger("realtime.installation")


def before_migrate(*, using: str, plan: list[Any], **_: Any) -> None:
    """Take the triggers off while tables change: a renamed column would stop every write."""
    if plan and using == conf.current().database and by_triggers(using):
        postgres.remove(using)


def after_migrate(*, using: str, **_: Any) -> None:
    """Put the triggers in force that the declarations ask for; nothing to do when they all are."""
    if using != conf.current().database or not by_triggers(using):
        return
    if postgres.install(using, anew=bool(inspection.troubles(connections[using]))):
        logger.info("the capture triggers are in force on %s", using)
