"""Both captures, for tests of what they promise alike; a bus with faults; hubs that hear again."""

from collections.abc import AsyncIterator, Iterator

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from pytest_django import DjangoDbBlocker, Settings

from realtime import brokers, signals
from realtime.capture import postgres
from realtime.hub import Hub
from realtime.tests.screens import Lossy, eventually


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


@pytest.fixture
async def broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lossy]:
    """The bus of a hub that looks ten times a second, and ends with its last screen."""
    settings.REALTIME = {**settings.REALTIME, "REPAIR_SECONDS": 0.1, "LINGER_SECONDS": 0.0}
    lossy = Lossy()
    monkeypatch.setattr(brokers, "current", lambda: lossy)
    yield lossy
    Hub.current().end()
    await eventually(lambda: not Hub.current().tasks)
