"""The page on tests, followed to the letter in a project of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent

SETTINGS = """
import json, os
SECRET_KEY = "test" * 16
DATABASES = {"default": json.loads(os.environ["SHOP_DATABASE"])}
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "channels", "parcels",
    "realtime.apps.RealtimeConfig",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
REALTIME = {"BROKER": "realtime.brokers.memory.MemoryBroker"}
"""
MODELS = """
from django.conf import settings
from django.db import models

class Parcel(models.Model):
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    courier = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    status = models.CharField(max_length=20, default="waiting")
    price = models.DecimalField(max_digits=10, decimal_places=2)

class Stop(models.Model):
    parcel = models.OneToOneField(Parcel, models.CASCADE, related_name="stop")
    town = models.CharField(max_length=50)
"""
PYTEST = """
[pytest]
DJANGO_SETTINGS_MODULE = shop.settings
pythonpath = .
asyncio_default_fixture_loop_scope = function
"""


def python_blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def project(folder: Path) -> None:
    """Write the project: the declaration of the README, and the files that the page names."""
    (feed,) = [block for block in python_blocks("realtime/README.md") if "class ParcelFeed(Feed)" in block]
    files = {
        "pytest.ini": PYTEST,
        "shop/__init__.py": "",
        "shop/settings.py": SETTINGS,
        "parcels/__init__.py": "",
        "parcels/models.py": MODELS,
        "parcels/feeds.py": feed,
    }
    for block in python_blocks("docs/how-to/test-your-project.md"):
        files[block.splitlines()[0].removeprefix("# ")] = block
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def database(folder: Path) -> dict[str, object]:
    """Return the suite's engine with a test database for the project alone."""
    if connection.vendor == "sqlite":
        name = str(folder / "shop.sqlite3")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "TEST": {"NAME": f"{name}.test"}}
    given = {name: connection.settings_dict[name] for name in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")}
    return given | {"TEST": {"NAME": f"test_shop_{os.getpid()}"}}


@pytest.mark.django_db
def test_the_page_works_as_written(tmp_path: Path) -> None:
    project(tmp_path)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO"))}
    variables |= {"PYTHONPATH": f"{ROOT}:{tmp_path}", "SHOP_DATABASE": json.dumps(database(tmp_path))}

    def run(*command: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=170
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    run("django", "makemigrations", "parcels", "--settings", "shop.settings")
    told = run("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:valkey", "parcels")
    assert "7 passed" in told
    assert "accessed by other users" not in told, "nothing is left on the test database"
