"""Where a benchmark plays: engines of its own, the marketplace's tables, and nothing of anybody's data."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet

from gameBoosterss.development import binaries
from gameBoosterss.development.engines import engines

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def stage(*, embedded: bool = True, durable: bool = True, limits: bool = False) -> Iterator[Path]:
    """Start PostgreSQL and Valkey, set Django up as in production, migrate; yield the scratch folder.

    The variables of the environment that name databases are not followed: a benchmark writes. With ``durable``
    PostgreSQL flushes to the disk at each commit. Without ``embedded``: SQLite, and the broker in memory. Limits of
    users and addresses hold with ``limits``; without it hundreds of sockets may come from this machine.
    """
    with scratch() as folder, engines(folder, durable=durable, given={}, embedded=embedded) as found:
        for note in found.notes:
            print(note)
        os.environ.pop("REDIS_URL", None)
        os.environ["REALTIME_LIMITS"] = "on" if limits else "loopback"
        os.environ.update(
            found.variables,
            DEBUG="0",  # with DEBUG Django keeps every statement
            SECRET_KEY=secrets.token_urlsafe(64),
            ACCOUNT_KEYS=f"benchmark:{Fernet.generate_key().decode()}",
            ALLOWED_HOSTS="127.0.0.1",
            HTTPS="0",
            LOG_LEVEL="ERROR",
            LOG_DIR=str(folder / "log"),
            DJANGO_SETTINGS_MODULE="gameBoosterss.settings",
        )
        set_up()
        from django.core.management import call_command
        from django.db import connections

        from realtime import relay

        call_command("migrate", verbosity=0)
        try:
            yield folder
        finally:
            relay.end()
            connections.close_all()


def set_up() -> None:
    """Set Django up from the environment that the stage has made; its children call it too."""
    import django

    django.setup()


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder on a disk that PostgreSQL's user reaches; ``/tmp`` may be memory."""
    place = Path("/var/tmp")
    place = place if binaries.reachable(place) else Path(tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix="gameBoosterss-benchmark-", dir=place))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
