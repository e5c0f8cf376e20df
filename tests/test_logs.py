"""Logs: one line per record, no secret in it, and a file that turns over between processes."""

import json
import logging
import logging.config
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gameBoosterss.logs import SharedRotatingFileHandler, configuration


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[logging.Logger]:
    """A logger of the real configuration, kept apart from the process's own."""
    found = configuration(folder=tmp_path, level="INFO")
    found["handlers"]["file"]["delay"] = False
    found["loggers"] = {"realtime.tried": {"handlers": ["console", "file"], "level": "INFO", "propagate": False}}
    found.pop("root")
    logging.config.dictConfig(found | {"incremental": False})
    logger = logging.getLogger("realtime.tried")
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "realtime.log").read_text().splitlines()]


def test_line_ends_forge_no_record(logger: logging.Logger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logger.info("order %s", "1\r\n2026-01-01T00:00:00Z INFO forged: paid\u2028more")
    (record,) = lines(tmp_path)
    assert record["event"] == "order 1\\r\\n2026-01-01T00:00:00Z INFO forged: paid\\u2028more"
    assert record["level"] == "info"


def test_secrets_reach_no_record(logger: logging.Logger, tmp_path: Path) -> None:
    logger.info("connecting to redis://:hunter2@host/0", extra={"ticket": "hunter2", "headers": {"cookie": "hunter2"}})
    logger.warning("offered order-sync.v1, ticket.hunter2 and sessionid=hunter2; password: hunter2")
    try:
        raise ValueError("postgres://me:hunter2@db/name\nINFO forged")
    except ValueError:
        logger.exception("failed")
    text = (tmp_path / "realtime.log").read_text()
    assert "hunter2" not in text
    assert len(text.splitlines()) == 3


@pytest.mark.parametrize(
    "text",
    [
        "REDIS_PASSWORD=hunter2",
        "SECRET_KEY=hunter2 DEBUG=1",
        "GET /x?access_token=hunter2&next=/",
        "ACCOUNT_KEYS=a:hunter2",
        "TOKEN_KEYS = a:hunter2",
        "(b'authorization', b'Bearer hunter2'), (b'host', b'x')",
        "[(b'cookie', b'sessionid=hunter2; csrftoken=hunter2')]",
        "Authorization: Basic hunter2",
        "Authorization: Digest username=a, response=hunter2",
        "proxy-authorization: Basic hunter2",
        "Cookie: sessionid=x; theme=hunter2",
        "password='two hunter2 words'",
        '"password": "two \\" hunter2"',
        "{'client_secret': 'a hunter2'}",
        r"{\"refresh_token\": \"hunter2\"}",
        "x-api-key: hunter2",
        "Bearer hunter2hunter2",
        "Set-Cookie: sessionid=hunter2; Path=/",
    ],
)
def test_a_secret_is_hidden_in_whatever_form_it_comes(logger: logging.Logger, tmp_path: Path, text: str) -> None:
    logger.info("before %s", text)
    (record,) = lines(tmp_path)
    assert "hunter2" not in str(record["event"])
    assert "[hidden]" in str(record["event"])


@pytest.mark.parametrize("text", ["order 7 was paid", "the key of order 7: New", "monkey=1", "keyboard: qwerty"])
def test_what_is_no_secret_is_left(logger: logging.Logger, tmp_path: Path, text: str) -> None:
    logger.info("%s", text)
    assert lines(tmp_path)[0]["event"] == text


def test_a_long_line_without_blanks_costs_its_length(logger: logging.Logger, tmp_path: Path) -> None:
    logger.info("%s", "a" * 1_000_000)
    assert len(str(lines(tmp_path)[0]["event"])) == 1_000_000


def test_the_log_is_for_the_account_that_writes_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "log"
    old = os.umask(0o022)
    try:
        path = Path(configuration(folder=folder, level="INFO")["handlers"]["file"]["filename"])
        path.touch(0o644)  # an older version has made it
        handler = SharedRotatingFileHandler(path, maxBytes=200, backupCount=2, encoding="utf-8")
        for number in range(90):
            handler.emit(logging.LogRecord("x", logging.INFO, "", 0, f"line {number}", None, None))
        handler.close()
    finally:
        os.umask(old)
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert {oct(file.stat().st_mode & 0o777) for file in folder.iterdir()} == {"0o600"}
    assert len(list(folder.iterdir())) == 4, "the file, two backups and the lock"


def test_debug_is_left_out_at_info(logger: logging.Logger, tmp_path: Path) -> None:
    logger.debug("quiet")
    assert lines(tmp_path) == []


def test_two_writers_turn_the_file_over_without_losing_a_line(tmp_path: Path) -> None:
    path = tmp_path / "realtime.log"
    two = [SharedRotatingFileHandler(path, maxBytes=4_000, backupCount=50, encoding="utf-8") for _ in range(2)]
    for number in range(1_000):
        two[number % 2].emit(logging.LogRecord("x", logging.INFO, "", 0, f"line {number}", None, None))
    for handler in two:
        handler.close()
    kept = [line for file in tmp_path.glob("realtime.log*") for line in file.read_text().splitlines()]
    assert sorted(kept) == sorted(f"line {number}" for number in range(1_000))
    assert max(file.stat().st_size for file in tmp_path.glob("realtime.log*")) <= 4_100


def test_the_file_is_five_megabytes_with_five_backups(tmp_path: Path) -> None:
    file = configuration(folder=tmp_path, level="INFO")["handlers"]["file"]
    assert (file["maxBytes"], file["backupCount"]) == (5 * 1024 * 1024, 5)
    assert file["filename"] == str(tmp_path / "realtime.log")
