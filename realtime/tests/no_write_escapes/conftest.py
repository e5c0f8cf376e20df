"""A test database that keeps what it commits, each capture in turn, and the witness beside it."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from realtime import signals
from realtime.capture import postgres
from realtime.testing import quiet

from .paths import keeper
from .witness import Witness, watching


@pytest.fixture(scope="package")
def db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """No transaction around a test; the rows go at the end. pytest-django sees by the name which databases to make."""
    with django_db_blocker.unblock():
        assert "test" in str(connection.settings_dict["NAME"]), "this would empty a database that is not ours"
        yield
        quiet()
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture(scope="module", params=["triggers", "orm"])
def capture(request: pytest.FixtureRequest, db: None) -> Iterator[str]:
    """The two captures; the name of the one in force."""
    if request.param == "triggers":
        if connection.vendor != "postgresql":
            pytest.skip("triggers are PostgreSQL's")
        yield "triggers"
        return
    signals.watch_querysets()
    with override_settings(REALTIME={**settings.REALTIME, "CAPTURE": "orm"}):
        if connection.vendor == "postgresql":
            postgres.remove("default")
        yield "orm"
    if connection.vendor == "postgresql":
        postgres.install("default")


@pytest.fixture(scope="module")
def witness(capture: str) -> Iterator[Witness]:
    with watching() as found:
        keeper()
        yield found
