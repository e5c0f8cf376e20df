"""Retention of account data, by a timer."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from vault.retention import accounts_expire


class Command(BaseCommand):
    help = "Erase the account data of orders that are Done or Dropped since ACCOUNT_DAYS days. Run it every day."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, help="instead of ACCOUNT_DAYS; 0 erases at once")
        parser.add_argument("--batch", type=int, default=500, help="rows of a transaction (default 500)")

    def handle(self, *args: Any, **options: Any) -> None:
        days = settings.ACCOUNT_DAYS if options["days"] is None else max(options["days"], 0)
        erased = accounts_expire(ended_before=timezone.now() - timedelta(days=days), batch=max(options["batch"], 1))
        self.stdout.write(f"Account data erased: {erased}.")
