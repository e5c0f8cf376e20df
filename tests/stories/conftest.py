"""Stories commit, and those of a module may share a server: each makes its own people and orders."""

from collections.abc import AsyncIterator, Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from playwright.async_api import Browser, async_playwright
from pytest_django.plugin import DjangoDbBlocker

from realtime import relay
from tests.engines import child_environment
from tests.server import Server, running
from tests.stories.desk import FLAGS


@pytest.fixture(scope="module")
def db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database without a transaction around the test; its rows stay until the module ends.

    The name is pytest-django's: it sees by it which databases to make.
    """
    with django_db_blocker.unblock():
        assert "test" in str(connection.settings_dict["NAME"]), "this would empty a database that is not ours"
        yield
        relay.wake()  # somebody may have died before he could
        settled()
        call_command("flush", interactive=False, verbosity=0)


def settled() -> None:
    """Wait for this process's relay to come to rest: it locks in another order than TRUNCATE does."""
    assert relay.rest(60)


@pytest.fixture(scope="module")
def standing_server(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server for all stories of a module; nothing that they do makes it log a traceback."""
    with running(tmp_path_factory.mktemp("server"), child_environment()) as server:
        yield server
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-5000:]


@pytest.fixture(scope="session")
async def chrome(chromium: str) -> AsyncIterator[Browser]:
    """One Chromium for all stories of a process; each person has a profile of his own in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()
