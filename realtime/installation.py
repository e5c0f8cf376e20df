"""The triggers come and go with ``migrate``: off before a migration, in force after it."""

import logging
from typing import Any

from django.db import connections

from . import conf, survey
from .actor import acting
from .capture import inspection, postgres
from .capture.base import by_triggers
from .feeds import all_feeds

BATCH = 500
"""Records that are compared at once after a migration."""

logger = logging.getLogger("realtime.installation")


def before_migrate(*, using: str, plan: list[Any], **_: Any) -> None:
    """Take the triggers off while tables change: a renamed column would stop every write."""
    if plan and using == conf.current().database and by_triggers(using):
        postgres.remove(using)


def after_migrate(*, using: str, **_: Any) -> None:
    """Put the triggers in force that the declarations ask for; nothing to do when they all are.

    Then what was written without them, by the migration itself or beside it, becomes events, and so does a value that
    the declarations show from now on.
    """
    if using != conf.current().database or not by_triggers(using):
        return
    if postgres.install(using, anew=bool(inspection.troubles(connections[using]))):
        logger.info("the capture triggers are in force on %s", using)
        with acting("command:migrate"):
            missed = sum(survey.catch_up(feed, batch=BATCH) for feed in all_feeds())
        if missed:
            logger.info("%s records were changed by the migration or are declared otherwise now", missed)
