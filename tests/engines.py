"""The pytest plugin that brings the engines; ``-p tests.engines`` loads it before pytest-django reads the settings.

The first process starts PostgreSQL and Valkey, unless DATABASE_URL and REDIS_URL name others; the workers of xdist
share them: each has its own test database, number and channel prefix. A test that stops or pauses an engine asks
for one of its own: the fixtures ``valkey`` and ``postgres``.
"""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_django.plugin import DjangoDbBlocker

from gameBoosterss.development import binaries, browser
from gameBoosterss.development.children import alive, die_with_parent
from gameBoosterss.development.engines import Postgres, Valkey, engines

PREFIX = "gameBoosterss-test-"


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Before any other plugin sees a setting: a wrapper runs first."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        die_with_parent()
        separate(worker)
    else:
        stack = ExitStack()
        early_config.add_cleanup(stack.close)
        folder = stack.enter_context(scratch())
        found = stack.enter_context(engines(folder, durable=False))
        os.environ.update(found.variables)
        for note in found.notes:
            print(note)
        os.environ.setdefault("DEBUG", "1")
        os.environ.setdefault("SECRET_KEY", "test" * 16)
        os.environ["LOG_DIR"] = str(folder / "log")
        os.environ["CHANNEL_PREFIX"] = "test"
        os.environ["REALTIME_LIMITS"] = "loopback"  # hundreds of sockets come from here; tests of limits turn them on
    return (yield)


def separate(worker: str) -> None:
    """Keep this worker's keys and messages apart; numbers separate keys, but not pub/sub: that takes a prefix."""
    os.environ["CHANNEL_PREFIX"] = f"test-{worker}"
    os.environ["LOG_DIR"] = str(Path(os.environ["LOG_DIR"]) / worker)
    if os.environ.get("REDIS_URL"):
        number = int(worker.removeprefix("gw")) + 1
        os.environ["REDIS_URL"] = urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{number}").geturl()


def is_ours(path: Path) -> bool:
    """Whether ``path`` belongs to us and is still there: another run may be removing it."""
    try:
        return path.stat().st_uid == os.geteuid()
    except FileNotFoundError:
        return False


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder that ``nobody`` reaches; folders of test runs that were killed are removed."""
    place = Path(tempfile.gettempdir())
    place = place if binaries.reachable(place) else Path("/var/tmp")
    for left in place.glob(f"{PREFIX}*"):
        number = left.name.removeprefix(PREFIX).split("-")[0]
        if number.isdigit() and not alive(int(number)) and is_ours(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-browser", action="store_true", help="leave the tests out that drive Chromium")


def pytest_configure(config: pytest.Config) -> None:
    """A quick password hash: tests log in hundreds of times. And a database that is emptied quickly."""
    from django.conf import settings

    from tests import emptying

    emptying.install()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A browser test without Chromium fails with the remedy; it is never left out silently."""
    if item.get_closest_marker("browser"):
        if item.config.getoption("--no-browser"):
            pytest.skip("left out with --no-browser")
        if browser.chromium() is None:
            pytest.fail(browser.REMEDY, pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def nobody_left(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """End the relay and other threads' connections, so that the test database can be dropped."""
    yield
    from django.db import connection

    from realtime import relay

    relay.end()
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; mark the test ``browser``."""
    found = browser.chromium()
    assert found, browser.REMEDY
    return found


@contextmanager
def own_valkey() -> Iterator[Valkey]:
    with scratch() as folder:
        try:
            engine = Valkey(folder / "valkey")
        except binaries.Unfit as reason:
            pytest.skip(f"no embedded Valkey: {reason}")
        with engine:
            yield engine


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A Valkey of this test's own: stop it, start it (on the same port), pause it, resume it."""
    with own_valkey() as engine:
        yield engine


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this test's own, empty: stop it, start it again with the same data on the same port."""
    with scratch() as folder:
        try:
            engine = Postgres(folder / "postgres", durable=False)
        except binaries.Unfit as reason:
            pytest.skip(f"no embedded PostgreSQL: {reason}")
        with engine:
            yield engine


@pytest.fixture
def server_environment(django_db_setup: None) -> dict[str, str]:
    """The environment for a child process (Daphne, a command) that works on this worker's test database.

    The test itself must commit (``django_db(transaction=True)``), otherwise the child sees nothing of it.
    """
    return child_environment()


def child_environment() -> dict[str, str]:
    """The environment of ``server_environment``, for fixtures of other scopes; the test database must be set up."""
    from django.db import connection

    if connection.vendor == "sqlite":
        url = f"sqlite:///{connection.settings_dict['NAME']}"
    else:
        name = connection.settings_dict["NAME"]
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    return dict(os.environ) | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "gameBoosterss.settings"}
