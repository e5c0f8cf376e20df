"""Which capture a test runs with, on a database that keeps what it commits."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from realtime.capture import postgres
from realtime.testing import quiet


@contextmanager
def capture_by(kind: str) -> Iterator[None]:
    """Capture by ``triggers`` or by the ``orm``, on a test database that is already open."""
    if kind == "triggers":
        if connection.vendor != "postgresql":
            pytest.skip("triggers are PostgreSQL's")
        yield
        return
    with override_settings(REALTIME={**settings.REALTIME, "CAPTURE": "orm"}):
        if connection.vendor == "postgresql":
            postgres.remove("default")
        try:
            yield
        finally:
            if connection.vendor == "postgresql":
                postgres.install("default")


@contextmanager
def kept(blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database without a transaction around each test; emptied at the end."""
    with blocker.unblock():
        assert "test" in str(connection.settings_dict["NAME"]) or "memory" in str(connection.settings_dict["NAME"])
        yield
        quiet()
        call_command("flush", interactive=False, verbosity=0)
