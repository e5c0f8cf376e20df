"""``realtime_permissions``: who sees what, as Markdown, made of the declarations."""

from typing import Any

from realtime import permissions

from ..feed_command import FeedCommand


class Command(FeedCommand):
    help = "Print who sees which value and has which board, as tables in Markdown made of the feeds."

    def handle(self, **options: Any) -> None:
        for feed in self.feeds(options):
            self.stdout.write(f"## {feed.name}\n\n{permissions.fields_of(feed)}\n")
            if feed.boards:
                self.stdout.write(f"\n{permissions.boards_of(feed)}\n")
