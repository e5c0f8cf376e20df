"""Another key for account data: put it in front of ACCOUNT_KEYS, run this, take the old one away."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from vault.keys import keyring
from vault.rotation import accounts_turn


class Command(BaseCommand):
    help = "Seal all account data by the first key of ACCOUNT_KEYS. Interrupted, start it again: it does what is left."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=200, help="rows of a transaction (default 200)")
        parser.add_argument("--all", action="store_true", help="also what the first key has sealed already")

    def handle(self, *args: Any, **options: Any) -> None:
        done, locked = 0, 0
        for turned in accounts_turn(batch=max(options["batch"], 1), everything=options["all"]):
            done, locked = done + turned.rows, locked + len(turned.locked)
            for order_id, why in turned.locked.items():
                self.stderr.write(f"Order {order_id}: {why}")
        self.stdout.write(f"Sealed anew by the key {keyring().first!r}: {done}. Not opened: {locked}.")
        if locked:
            raise CommandError("Some account data could not be opened, and was left as it is. Keep the old keys.")
