"""Migrate, load demo data, and note which management commands there are; run as a child of ``./dev run``.

A process of its own: the apps may start threads when rows change, and our parent must fork without any.
"""

import json
import os

import django
from django.core.management import call_command, get_commands

from gameBoosterss.development.checkout import VAR


def main() -> None:
    """Leave the database ready and the commands in ``var/commands.json``."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gameBoosterss.settings")
    django.setup()
    commands = sorted(get_commands())
    call_command("migrate", interactive=False, verbosity=0)
    if "demo_data" in commands:
        call_command("demo_data")
    (VAR / "commands.json").write_text(json.dumps(commands))


if __name__ == "__main__":
    main()
