"""Is every write seen, and does it reach the viewers?"""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ... import doctor


class Command(BaseCommand):
    help = (
        "Try every way to write on a real row of each feed, in transactions that are rolled back; look at triggers, "
        "roles, code, log and bus. Exit code 1 when something fails."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one list for a machine, with details")

    def handle(self, *args: Any, **options: Any) -> None:
        found = []
        for finding in doctor.examine():
            found.append(finding)
            if not options["json"]:
                self.stdout.write(str(finding))
        if options["json"]:
            self.stdout.write(json.dumps([finding.as_json() for finding in found], indent=1))
        if any(finding.level == "FAIL" for finding in found):
            raise SystemExit(1)
