"""Daphne's command line with the simulation in a thread beside it: for the broker in memory, in one process."""

import os
import threading
import time
import traceback

import django
from daphne.cli import CommandLineInterface
from django.core.management import call_command

from realtime.actor import acting

HEAD_START = 2  # seconds for the server to listen first


def play() -> None:
    """Run the simulation; when it ends, with an error or without, the process ends with code 1."""
    time.sleep(HEAD_START)
    try:
        with acting("command:simulate", source="command"):
            call_command("simulate")
    finally:
        traceback.print_exc()
        os._exit(1)


def main() -> None:
    """Serve as ``daphne`` does, and play."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gameBoosterss.settings")
    django.setup()
    threading.Thread(target=play, name="simulation", daemon=True).start()
    CommandLineInterface.entrypoint()


if __name__ == "__main__":
    main()
