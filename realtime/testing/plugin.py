"""The pytest plugin behind ``pytest_plugins = ["realtime.testing"]``. Only pytest imports it."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from .committing import capture_at_once, quiet
from .faults import Faults, LossyBroker


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Let the relay finish before the tables are emptied: TRUNCATE beside it is a deadlock.

    And no hub lingers into the next test: it would take the emptied database for a restored one.
    """
    from .. import relay
    from ..hub import Hub

    Hub.end_idle()
    assert relay.rest(60), "the relay did not come to rest"


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    """Leave no connection behind when pytest-django drops the test database."""
    made = yield
    if fixturedef.argname == "django_db_setup":
        fixturedef.addfinalizer(quiet)  # finalizers run last in, first out
    return made


@pytest.fixture
def captured_at_once(db: None) -> None:
    """Statements of the test's transaction write their events when they end; see ``capture_at_once``."""
    capture_at_once()


def _with(**values: Any) -> Any:
    return override_settings(REALTIME={**getattr(settings, "REALTIME", {}), **values})


@pytest.fixture
def memory_bus() -> Iterator[None]:
    """The bus of one process, a quick repair, and refusals at once: what sockets of a test need."""
    with _with(BROKER="realtime.brokers.memory.MemoryBroker", REPAIR_SECONDS=0.1, REFUSAL_SECONDS=0.0):
        yield


@pytest.fixture
def lossy_bus(request: pytest.FixtureRequest) -> Iterator[Faults]:
    """The same with faults: drops, doubles and swaps; their seed may be given by ``indirect`` parameters."""
    from .. import brokers

    with _with(BROKER="realtime.testing.LossyBroker", REPAIR_SECONDS=0.1, REFUSAL_SECONDS=0.0):
        broker = brokers.current()
        assert isinstance(broker, LossyBroker)
        broker.faults = Faults(seed=getattr(request, "param", 0))
        yield broker.faults
