"""What the commands have in common that go through feeds: which feeds, and how many records at once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ..exceptions import DeclarationError
from ..feeds import Feed, all_feeds, feed_named


class FeedCommand(BaseCommand):
    """A command for one feed, or for all."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--feed", metavar="NAME", help="one feed only (default: all)")
        parser.add_argument("--batch", type=int, default=500, help="records a statement (default 500)")

    def feeds(self, options: dict[str, Any]) -> list[type[Feed]]:
        """Return the feeds that are asked for; say which there are when there is none of that name."""
        if options["batch"] < 1:
            raise CommandError("--batch is at least 1.")
        try:
            return [feed_named(options["feed"])] if options["feed"] else all_feeds()
        except DeclarationError as error:
            raise CommandError(str(error)) from error
