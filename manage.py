#!/usr/bin/env python3
"""Django's command line. For development ``./dev manage`` brings engines and settings along."""

import os
import sys


def main() -> None:
    """Run the command that the arguments name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gameBoosterss.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit("Django is not installed here. Use ./dev manage, which sets everything up.") from error
    from realtime.actor import acting

    # What a command writes is stored under its name; one that acts for somebody says so itself, inside.
    with acting(f"command:{sys.argv[1] if len(sys.argv) > 1 else 'help'}", source="command"):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
