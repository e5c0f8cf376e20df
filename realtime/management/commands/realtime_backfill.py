"""Begin the log of records that are older than it."""

from typing import Any

from ... import survey
from ..feed_command import FeedCommand


class Command(FeedCommand):
    help = (
        "Give records that are older than the installation their first state, as version 0. "
        "Each batch is a transaction; started again, it makes what is missing. Writers may go on."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for feed in self.feeds(options):
            looked = made = 0
            for page in survey.begin(feed, batch=options["batch"]):
                looked, made = looked + page.looked, made + page.found
                self.stderr.write(f"{feed.name}: {looked} looked at, {made} begun, up to {page.last}")
            self.stdout.write(f"{feed.name}: {looked} looked at, {made} begun")
