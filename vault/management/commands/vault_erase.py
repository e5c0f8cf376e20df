"""Retention of account data, and of the addresses of people, by a timer."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from accounts.retention import tries_expire
from vault.retention import accounts_expire, addresses_expire


class Command(BaseCommand):
    help = (
        "Erase the account data of orders that are Done or Dropped since ACCOUNT_DAYS days, and addresses of people "
        "that are older than ADDRESS_DAYS days. Run it every day."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, help="instead of ACCOUNT_DAYS; 0 erases at once")
        parser.add_argument("--address-days", type=int, help="instead of ADDRESS_DAYS; 0 erases at once")
        parser.add_argument("--batch", type=int, default=500, help="rows of a transaction (default 500)")

    def handle(self, *args: Any, **options: Any) -> None:
        now, batch = timezone.now(), max(options["batch"], 1)
        days = settings.ACCOUNT_DAYS if options["days"] is None else max(options["days"], 0)
        address_days = settings.ADDRESS_DAYS if options["address_days"] is None else max(options["address_days"], 0)
        erased = accounts_expire(ended_before=now - timedelta(days=days), batch=batch)
        old = now - timedelta(days=address_days)
        blanked, tries = addresses_expire(read_before=old, batch=batch), tries_expire(made_before=old)
        self.stdout.write(f"Account data erased: {erased}. Addresses of readings: {blanked}. Failed log-ins: {tries}.")
