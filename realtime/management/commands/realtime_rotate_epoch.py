"""After a restored backup: say that this is another history."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import conf, log

WHAT_IT_DOES = """\
The database {database} gets a new epoch in place of {epoch}.
Do this once, after a backup was restored: versions that clients have seen may not be in it.
 - Servers notice within REPAIR_SECONDS. They close every socket with 4012; clients come back and start afresh.
 - Hints under way that carry the old epoch are ignored.
 - No order and no event is changed. Run realtime_reconcile afterwards if only data was restored.
"""


class Command(BaseCommand):
    help = "Give the history of this database a new identity, after a restored backup: every client starts afresh."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(WHAT_IT_DOES.format(database=conf.current().database, epoch=log.epoch()))
        if not options["yes"] and input("Go on? [yes/no] ").strip().lower() != "yes":
            raise CommandError("Nothing was changed.")
        self.stdout.write(f"The epoch is {log.rotate_epoch()}.")
