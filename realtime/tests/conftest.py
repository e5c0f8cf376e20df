"""Both captures, for tests of what they promise alike."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from realtime import signals
from realtime.capture import postgres
from realtime.hub import Hub


@pytest.fixture(scope="module", params=["triggers", "orm"])
def capture(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The same promises of both: PostgreSQL's triggers, and the ORM's signals without them."""
    if request.param == "triggers":
        if connection.vendor != "postgresql":
            pytest.skip("triggers are PostgreSQL's")
        yield "triggers"
        return
    signals.watch_querysets()
    with override_settings(REALTIME={**settings.REALTIME, "CAPTURE": "orm"}):
        if connection.vendor == "postgresql":
            with django_db_blocker.unblock():
                postgres.remove("default")
        yield "orm"
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock():
            postgres.install("default")


@pytest.fixture(autouse=True)
def no_deaf_hub() -> Iterator[None]:
    """A test that has made its hub deaf deafens no other: hubs are those of the loop, and it is one."""
    yield
    for hub in list(Hub._hubs.values()):
        hub._ear._deliver = hub.heard
