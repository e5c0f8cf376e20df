"""Find what nothing captured, and tell it."""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ... import relay, survey
from ...actor import acting
from ...feeds import Feed
from ..feed_command import FeedCommand


class Command(FeedCommand):
    help = "Compare every record with its last logged state; each difference becomes an event. Writers may go on."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--key", nargs="+", metavar="K", help="these records only; needs --feed")
        parser.add_argument("--dry-run", action="store_true", help="count the differences, write nothing")
        parser.add_argument("--check", action="store_true", help="exit code 1 when there was a difference")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["key"] and not options["feed"]:
            raise CommandError("--key needs --feed: keys are a feed's.")
        began = time.monotonic()
        differences = looked = 0
        with acting("command:realtime_reconcile"):
            for feed in self.feeds(options):
                seen, found = self.compare(feed, options)
                self.stdout.write(f"{feed.name}: {seen} looked at, {found} differed")
                looked, differences = looked + seen, differences + found
        told = "would be told" if options["dry_run"] else "told"
        self.stdout.write(f"{looked} looked at, {differences} {told}, {time.monotonic() - began:.1f} s")
        if options["check"] and differences:
            raise SystemExit(1)

    def compare(self, feed: type[Feed], options: dict[str, Any]) -> tuple[int, int]:
        """Return how many records of ``feed`` were looked at, and how many differed."""
        keep = not options["dry_run"]
        looked = found = 0
        keys = [self.key(feed, text) for text in options["key"]] if options["key"] else None
        for page in survey.reconcile(feed, batch=options["batch"], keys=keys, keep=keep):
            looked, found = looked + page.looked, found + page.found
            if page.found and keep:
                relay.wake()
        return looked, found

    def key(self, feed: type[Feed], text: str) -> Any:
        key = feed.key(text)
        if key is None:
            raise CommandError(f"{text!r} is no key of {feed.name}: write it as it stands in a topic.")
        return key
