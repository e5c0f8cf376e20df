"""Erasure of a person from the log. The live rows are the project's, and come first."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime.capture.base import plain
from realtime.erasure import ERASED, erase, topics_of


class Command(BaseCommand):
    help = f"Replace a person's data in the log by {ERASED}; versions stay. Erase the live rows before."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, help="the key of the user's row; the row may be gone already")
        parser.add_argument("--yes", action="store_true", help="do it; without, only say where the person stands")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = plain(get_user_model()._meta.pk.to_python(options["user"]))
        except ValidationError as error:
            raise CommandError(f"{options['user']!r} is no key of a user.") from error
        if not options["yes"]:
            self.stdout.write(
                f"Records that have to do with the person: {len(topics_of(key))}. --yes erases, for good."
            )
            return
        events = records = 0
        for done in erase(key):
            events, records = events + done.events, records + 1
        self.stdout.write(f"Rewritten: {events} events, records: {records}.")
