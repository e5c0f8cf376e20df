"""Settings: the values of the environment are right, or the start fails with a sentence that says what to do."""

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from gameBoosterss.env import Environment, SettingError

KEY = Fernet.generate_key().decode()
DEVELOPMENT = base64.urlsafe_b64encode(b"insecure key of the development!").decode()
PRODUCTION = {
    "ACCOUNT_KEYS": f"a:{KEY}",
    "SECRET_KEY": "k" * 60,
    "ALLOWED_HOSTS": "boost.example.org",
    "DATABASE_URL": "postgres://user:hunter2@db:5432/name",
    "REDIS_HOST": "cache",
    "REDIS_PASSWORD": "hunter2/&",
}


def start(code: str, variables: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Read the settings in a fresh process with nothing but ``variables``."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPYCACHEPREFIX") if name in os.environ}
    environment = {**kept, "LOG_DIR": str(folder), **variables}
    command = [sys.executable, "-c", f"from gameBoosterss import settings as s; {code}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parent.parent)


def test_production_is_strict_by_default(tmp_path: Path) -> None:
    shown = "s.DEBUG, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0"
    assert start(f"print({shown})", PRODUCTION, tmp_path).stdout.split(" ", 1)[0] == "False"
    assert start(f"print({shown})", PRODUCTION, tmp_path).stdout == "False True True True True\n"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set, or shorter than 50 characters"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is not set, or shorter than 50 characters"),
        ({"SECRET_KEY": "insecure-development-key-which-production-refuses-to-start-with"}, "SECRET_KEY is not set"),
        ({"ACCOUNT_KEYS": ""}, "ACCOUNT_KEYS is not set, or has the key of development"),
        ({"ACCOUNT_KEYS": f"a:{KEY},b:{DEVELOPMENT}"}, "ACCOUNT_KEYS is not set, or has the key of development"),
        ({"ACCOUNT_KEYS": KEY}, "ACCOUNT_KEYS has a part that is no key. Write name:"),
        ({"ACCOUNT_KEYS": f"a:{KEY},build:{'A' * 43}="}, "ACCOUNT_KEYS has a key that is guessed. Write name:"),
        (
            {"SECRET_KEY_FALLBACKS": "insecure-development-key-which-production-refuses-to-start-with"},
            "SECRET_KEY_FALLBACKS has the key of development, or one shorter than 50 characters",
        ),
        ({"SECRET_KEY_FALLBACKS": f"{'k' * 60},hunter2"}, "SECRET_KEY_FALLBACKS has the key of development, or one"),
        ({"ACCOUNT_KEYS": "a:hunter2"}, "ACCOUNT_KEYS has a part that is no key. Write name:"),
        ({"ACCOUNT_KEYS": f"a:{KEY},a:{KEY}"}, "ACCOUNT_KEYS has a part that is no key. Write name:"),
        (
            {"TOKEN_KEYS": f"a:{KEY},a:{KEY}"},
            "TOKEN_KEYS has two keys under one name. Give each",
        ),
        ({"ACCOUNT_DAYS": "soon"}, "ACCOUNT_DAYS is 'soon'. Use a whole number from 0 on."),
        ({"ADDRESS_DAYS": "-1"}, "ADDRESS_DAYS is '-1'. Use a whole number from 0 on."),
        ({"LOGIN_TRIES": "0"}, "LOGIN_TRIES is '0'. Use a whole number from 1 on."),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS is not set while DEBUG is off"),
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set. For example postgres://"),
        ({"DATABASE_URL": "mysql://user:hunter2@db/name"}, "DATABASE_URL names no known database"),
        ({"REDIS_PORT": "many"}, "REDIS_PORT is 'many'. Use a whole number"),
        ({"REDIS_URL": "cache:6379"}, "REDIS_URL names no Redis"),
        ({"DEBUG": "maybe"}, "DEBUG is 'maybe'. Use 1 or 0."),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL is 'LOUD'. Use one of: DEBUG, INFO, ERROR."),
        ({"LOG_DIR": "/dev/null/here"}, "LOG_DIR cannot be made"),
        ({"CHANNEL_LAYER": "carrier pigeon"}, "CHANNEL_LAYER is 'carrier pigeon'"),
    ],
)
def test_a_wrong_value_is_named_with_the_remedy(change: dict[str, str], sentence: str, tmp_path: Path) -> None:
    done = start("", PRODUCTION | change, tmp_path)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "hunter2" not in done.stderr
    assert KEY not in done.stderr
    assert DEVELOPMENT not in done.stderr


@pytest.mark.parametrize(("https", "name"), [("1", "__Host-sessionid"), ("0", "sessionid")])
def test_over_https_the_session_is_bound_to_the_host_by_its_name(https: str, name: str, tmp_path: Path) -> None:
    code = (
        "import django; django.setup(); from django.conf import settings as d;"
        "print(d.SESSION_COOKIE_NAME, d.SESSION_COOKIE_PATH, d.SESSION_COOKIE_DOMAIN, d.SESSION_COOKIE_SECURE)"
    )
    variables = PRODUCTION | {"HTTPS": https, "DJANGO_SETTINGS_MODULE": "gameBoosterss.settings"}
    assert start(code, variables, tmp_path).stdout == f"{name} / None {https == '1'}\n"


def test_redis_is_found_by_host_and_port_or_by_url() -> None:
    assert Environment({"REDIS_HOST": "cache"}).redis() == "redis://cache:6379/0"
    assert Environment({"REDIS_HOST": "cache", "REDIS_PASSWORD": "a/b"}).redis() == "redis://:a%2Fb@cache:6379/0"
    assert Environment({"REDIS_URL": "redis://one/2", "REDIS_HOST": "two"}).redis() == "redis://one/2"
    assert Environment({}).redis() == ""


@pytest.mark.parametrize(
    ("variables", "backend", "broker"),
    [
        ({}, "channels_redis.pubsub.RedisPubSubChannelLayer", "ChannelLayerBroker"),
        ({"CHANNEL_LAYER": "core"}, "channels_redis.core.RedisChannelLayer", "ChannelLayerBroker"),
        ({"REDIS_HOST": ""}, "channels.layers.InMemoryChannelLayer", "MemoryBroker"),
    ],
)
def test_the_channel_layer_follows_the_environment(
    variables: dict[str, str], backend: str, broker: str, tmp_path: Path
) -> None:
    code = "print(s.CHANNEL_LAYERS['default']['BACKEND'], s.REALTIME['BROKER'].rsplit('.')[-1])"
    assert start(code, PRODUCTION | variables, tmp_path).stdout == f"{backend} {broker}\n"


def test_a_number_in_other_digits_is_refused() -> None:
    with pytest.raises(SettingError, match="REDIS_PORT"):
        Environment({"N": "٣", "REDIS_PORT": "٣"}).number("REDIS_PORT", default=1)


def test_the_key_of_development_is_the_one_that_production_refuses(tmp_path: Path) -> None:
    code = "print(s.ACCOUNT_KEYS == {'development': s.DEVELOPMENT_ACCOUNT_KEY}, s.DEVELOPMENT_ACCOUNT_KEY)"
    assert start(code, {"DEBUG": "1"}, tmp_path).stdout == f"True {DEVELOPMENT}\n"


def deployed(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Return what ``check --deploy`` says with these variables."""
    environment = {
        "PATH": os.environ["PATH"],
        "LOG_DIR": str(folder),
        **PRODUCTION,
        "SECRET_KEY": secrets.token_urlsafe(64),
        **variables,
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "INFO"]
    root = Path(__file__).parent.parent
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=root)


def test_djangos_checks_for_a_deployment_have_nothing_to_say(tmp_path: Path) -> None:
    for variables in ({}, {"TRUST_PROXY": "1", "TRUSTED_PROXIES": "127.0.0.1"}):
        done = deployed(tmp_path, **variables)
        assert done.returncode == 0, done.stderr
        assert "no issues (1 silenced)" in done.stdout


def test_a_proxy_that_is_believed_but_not_named_is_said(tmp_path: Path) -> None:
    done = deployed(tmp_path, TRUST_PROXY="1")
    assert done.returncode != 0
    assert "realtime.W005" in done.stderr


def test_a_database_in_a_file_and_the_log_are_for_one_account(tmp_path: Path) -> None:
    file, log = tmp_path / "db.sqlite3", tmp_path / "log"
    old = os.umask(0o022)
    try:
        code = "import django; django.setup(); from django.db import connection as c; c.ensure_connection()"
        variables = PRODUCTION | {
            "DATABASE_URL": f"sqlite:///{file}",
            "DJANGO_SETTINGS_MODULE": "gameBoosterss.settings",
        }
        done = start(code, variables, log)
    finally:
        os.umask(old)
    assert done.returncode == 0, done.stderr
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (file, log)}
    assert modes == {"db.sqlite3": "0o600", "log": "0o700"}
