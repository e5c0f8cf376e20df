"""Print a bearer token for an account."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import bearer, conf
from ...exceptions import NoTokenKey, TokenTooLong


class Command(BaseCommand):
    help = "Print a bearer token for an account: whoever has it is that account, until it ends or the password changes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--days", type=float, default=30.0, help="how long it lasts (30); at most TOKEN_DAYS_AT_MOST"
        )
        parser.add_argument("--read-only", action="store_true", help="it opens sockets and GETs, and does nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        model = get_user_model()
        user = model._default_manager.filter(**{model.USERNAME_FIELD: options["username"]}).first()
        if user is None or not user.is_active:
            raise CommandError(f"There is no active account {options['username']!r}.")
        if not options["days"] > 0:
            raise CommandError("--days is more than 0.")
        try:
            lifetime = timedelta(days=options["days"])
            self.stdout.write(bearer.issue(user, lifetime, reads_only=options["read_only"]))
        except NoTokenKey as error:
            raise CommandError(f"There is no key to sign it with: {error}.") from error
        except (TokenTooLong, OverflowError) as error:
            most = conf.current().token_days_at_most
            raise CommandError(f"--days is {most:g} at most: REALTIME['TOKEN_DAYS_AT_MOST'] says so.") from error
