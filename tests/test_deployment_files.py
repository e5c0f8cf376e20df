"""The deployment files agree with the settings. No Docker engine is needed, and no image is built."""

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
STOCK_COMMAND = "daphne -b 0.0.0.0 -p 8000 gameBoosterss.asgi:application"
READERS = {"text", "required", "flag", "number", "choice"}
READERS |= {"names", "networks", "keys", "sealing_keys", "database"}
SERVERS = ("redis", "postgres", "web")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


def variables_read() -> set[str]:
    """The names that settings and env ask for, from their source: what is read only sometimes counts too."""
    names = set()
    for module in ("settings.py", "env.py"):
        for node in ast.walk(ast.parse((ROOT / "gameBoosterss" / module).read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS:
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    names.add(first.value)
    return names


def words(command: str | list[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else command


def test_the_web_service_runs_the_stock_command(compose: dict[str, Any]) -> None:
    assert words(compose["services"]["web"]["command"]) == STOCK_COMMAND.split()


def test_the_image_runs_the_stock_command() -> None:
    last = (ROOT / "Dockerfile").read_text().strip().splitlines()[-1]
    assert ast.literal_eval(last.removeprefix("CMD ")) == STOCK_COMMAND.split()


@pytest.mark.parametrize("name", SERVERS)
def test_each_server_has_a_health_check(compose: dict[str, Any], name: str) -> None:
    assert compose["services"][name]["healthcheck"]["test"]


def test_the_web_service_waits_for_healthy_servers_and_for_migrations(compose: dict[str, Any]) -> None:
    assert compose["services"]["web"]["depends_on"] == {
        "redis": {"condition": "service_healthy"},
        "postgres": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }


def test_redis_asks_for_a_password_and_is_not_published(compose: dict[str, Any]) -> None:
    redis = compose["services"]["redis"]
    assert "ports" not in redis
    assert "--requirepass" in " ".join(redis["command"])
    assert redis["environment"]["REDIS_PASSWORD"].startswith("${REDIS_PASSWORD:?")


def test_nobody_reaches_the_server_past_the_proxy(compose: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert ports == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}


def test_a_copied_example_leaves_https_on(compose: dict[str, Any]) -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    active = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert active == {"SECRET_KEY", "ACCOUNT_KEYS", "ALLOWED_HOSTS", "POSTGRES_PASSWORD", "REDIS_PASSWORD"}
    assert compose["services"]["web"]["environment"]["HTTPS"] == "${HTTPS:-1}"


def test_the_image_is_built_with_no_key_that_stands_in_a_file() -> None:
    run = (ROOT / "Dockerfile").read_text().split("\nRUN SECRET_KEY=")[1].split("collectstatic")[0]
    assert "token_urlsafe" in run
    assert "generate_key" in run
    assert "zero" not in run


def test_no_password_and_no_key_has_a_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert re.findall(r"\$\{\w*(?:PASSWORD|SECRET_KEY|ACCOUNT_KEYS)(?::?[-=]).+?\}", text) == []


def test_every_variable_that_is_read_is_described() -> None:
    described = set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert variables_read() - described == set()
    # Compose alone uses these two.
    assert described - variables_read() == {"PORT", "POSTGRES_PASSWORD"}


def test_compose_hands_on_every_variable_that_is_read(compose: dict[str, Any]) -> None:
    handed_on = set(compose["services"]["web"]["environment"])
    assert variables_read() - handed_on == {"REDIS_URL"}  # host and port stand for it


def test_the_image_is_not_run_by_root_and_installs_by_hash() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    user = next(line.split()[1] for line in lines if line.startswith("USER "))
    assert user not in {"root", "0"}
    assert any("--require-hashes -r requirements.txt" in line for line in lines)
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert "-r requirements/app.lock" in (ROOT / "requirements.txt").read_text()


def test_the_locks_name_no_address() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.lock")):
        assert "http" not in lock.read_text(), lock.name
        assert "--hash=sha256:" in lock.read_text(), lock.name
