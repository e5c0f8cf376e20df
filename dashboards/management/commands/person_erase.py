"""Erasure of a person, live rows and log."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from dashboards.erasure import StillBusy, person_erase


class Command(BaseCommand):
    help = "Erase a person: names, words, addresses and account data in every table, then in the log. For good."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", type=int, required=True, help="the number of the account")
        parser.add_argument("--yes", action="store_true", help="do it; without, only say whose account it is")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(pk=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no account {options['user']}.")
        if not options["yes"]:
            self.stdout.write(f"Account {user.pk} is {user.username} ({user.role}). --yes erases, for good.")
            return
        try:
            counts = person_erase(user)
        except StillBusy as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(", ".join(f"{kind}: {count}" for kind, count in counts.items()) + ".")
        call_command("realtime_erase", user=user.pk, yes=True, stdout=self.stdout)
