"""Retention by hand or by a timer; nothing else trims the log."""

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from realtime.retention import prunable, prune

UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def age(text: str) -> timedelta:
    """Return the time that ``text`` writes.

    >>> age("90d")
    datetime.timedelta(days=90)
    """
    found = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text, re.ASCII)
    if found is None:
        raise ArgumentTypeError("a number and h, d or w, such as 90d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def count(text: str) -> int:
    """Return a whole number from 1."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text, re.ASCII):
        raise ArgumentTypeError("a whole number from 1")
    return int(text)


class Command(BaseCommand):
    help = "Remove old versions from the log. The newest of each record and everything unsettled stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=age, required=True, help="such as 90d, 12w, 36h")
        parser.add_argument("--keep-last", type=count, default=1, help="versions of each record that stay (default 1)")
        parser.add_argument("--batch", type=count, default=1000, help="events of one transaction (default 1000)")
        parser.add_argument("--dry-run", action="store_true", help="only say how many would go")

    def handle(self, *args: Any, **options: Any) -> None:
        before, keep = timezone.now() - options["older_than"], options["keep_last"]
        if options["dry_run"]:
            self.stdout.write(f"{prunable(before=before, keep=keep).count()} events would go.")
            return
        gone = 0
        for number in prune(before=before, keep=keep, batch=options["batch"]):
            gone += number
            if options["verbosity"] > 1:
                self.stdout.write(f"{gone} …")
        self.stdout.write(f"{gone} events are gone.")
