"""Logging: the console for people, ``realtime.log`` as JSON lines; one line per record, no secret in it."""

import logging.handlers
import os
import re
from collections.abc import MutableMapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import structlog

from gameBoosterss.env import SettingError
from gameBoosterss.private import private_folder, private_opener

try:
    import fcntl
except ImportError:  # Windows: one process writes, nothing to agree on
    fcntl = None  # type: ignore[assignment]

FIVE_MEGABYTES = 5 * 1024 * 1024
BACKUPS = 5
HIDDEN = "[hidden]"
# Parts of a name; _KEY(S) is the end of one: SECRET_KEY, ACCOUNT_KEYS.
NAMES = r"password|passwd|secret|token|ticket|cookie|authorization|sessionid|api[_-]?key|_keys?(?![a-z])|account_data"
SECRET_NAMES = re.compile(NAMES, re.IGNORECASE)
# Bounded, and from the beginning of a word on: a line of a megabyte costs no more than its length.
NAME = rf"(?i)(?<!\w)(\w{{0,60}}?(?:{NAMES})\w{{0,20}}"
QUOTED = r"""b?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
# A password in a URL; a ticket offered as a WebSocket subprotocol; a whole header; a pair of a list of headers; a
# cookie, token or key with its value, which may be quoted and have blanks.
SECRET_TEXTS = (
    (re.compile(r"(\w://[^\s:/@]*:)[^\s@/]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\bticket\.[\w\-.~]+"), f"ticket.{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer\s+)[\w\-.~+/=]{8,}"), rf"\1{HIDDEN}"),
    (re.compile(r"(?im)\b((?:set-)?cookie|(?:proxy-)?authorization)(\s*:\s*)(?!['\"\[\s])[^'\"\r\n]+"),
     rf"\1\2{HIDDEN}"),
    (re.compile(rf"{NAME}['\"])(\s*,\s*){QUOTED}"), rf"\1\2{HIDDEN}"),
    (re.compile(rf"{NAME})(\\?['\"]?\s*[=:]\s*)(?!\[hidden\])"
                rf"(?:{QUOTED}|(?:(?:bearer|basic|digest)\s+)?\\?['\"]?[^\s'\",;&]+)"), rf"\1\2{HIDDEN}"),
)  # fmt: skip
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
Event = MutableMapping[str, Any]


def clean(text: str) -> str:
    r"""``text`` on one line and without secrets.

    >>> clean("a\r\nINFO forged")
    'a\\r\\nINFO forged'
    >>> clean("redis://:hunter2@host/0 ticket.abc password=hunter2")
    'redis://:[hidden]@host/0 ticket.[hidden] password=[hidden]'
    >>> clean("REDIS_PASSWORD='two words' (b'authorization', b'Bearer x.y') Authorization: Basic abc")
    "REDIS_PASSWORD=[hidden] (b'authorization', [hidden]) Authorization: [hidden]"
    """
    return CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), hidden(text))


def hidden(text: str) -> str:
    """``text`` with what looks like a secret replaced; line ends stay."""
    for pattern, replacement in SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def brief(logger: object, name: str, event: Event) -> Event:
    """Leave out the traceback of what a stranger did: Django logs one for each forged ``Host``, and it says nothing."""
    if str(event.get("logger", "")).startswith("django.security"):
        event.pop("exc_info", None)
    return event


def cleaned(logger: object, name: str, event: Event) -> Event:
    """Clean every value of the record; values under a secret's name go altogether, and so does Django's request."""
    event.pop("request", None)
    for key, value in event.items():
        if key.startswith("_") or key == "exc_info":
            continue
        if SECRET_NAMES.search(key):
            event[key] = HIDDEN
        elif key == "exception":
            event[key] = hidden(str(value))
        elif isinstance(value, str):
            event[key] = clean(value)
        elif not isinstance(value, int | float | bool | None):
            event[key] = clean(repr(value))
    return event


def line(logger: object, name: str, event: Event) -> str:
    """One line for people: time, level, logger, words, values; a traceback follows indented, so it forges nothing."""
    time, level, origin = (event.pop(key, "") for key in ("timestamp", "level", "logger"))
    words, trace = event.pop("event", ""), event.pop("exception", "")
    values = "".join(f" {key}={value}" for key, value in sorted(event.items()) if not key.startswith("_"))
    indented = "".join("\n    | " + CONTROL.sub("?", part) for part in trace.split("\n")) if trace else ""
    return f"{time} {level.upper():<7} {origin}: {words}{values}{indented}"


class SharedRotatingFileHandler(logging.handlers.RotatingFileHandler):
    """A rotating file that several processes write: the one that rotates holds a lock, the others follow the name."""

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 (the base class names it)
        """Open the file anew when another process has moved it away; then ask for the size."""
        if self.stream is not None:
            try:
                same = os.path.samestat(os.fstat(self.stream.fileno()), os.stat(self.baseFilename))
            except FileNotFoundError:
                same = False
            if not same:
                self.stream.close()
                self.stream = self._open()
        return bool(super().shouldRollover(record))

    def doRollover(self) -> None:  # noqa: N802
        """Move the files on, unless another process has just done so."""
        with open(f"{self.baseFilename}.lock", "w", opener=private_opener) as guard:
            if fcntl is not None:
                fcntl.flock(guard, fcntl.LOCK_EX)
            path = Path(self.baseFilename)
            # Half: the file that made us come here is either still full or quite new.
            if path.exists() and path.stat().st_size < self.maxBytes // 2:
                if self.stream is not None:
                    self.stream.close()
                self.stream = self._open()
                return
            super().doRollover()

    def _open(self) -> TextIOWrapper:
        private_folder(Path(self.baseFilename).parent)
        stream = open(  # noqa: SIM115 - the handler closes it
            self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=private_opener
        )
        assert isinstance(stream, TextIOWrapper)
        return stream


def writable(folder: Path) -> Path:
    """``folder``, made when it is absent; a loud error when nobody can write there."""
    try:
        private_folder(folder)
    except OSError as error:
        raise SettingError("LOG_DIR", f"cannot be made ({folder}: {error.strerror})", "Name another folder.") from error
    if not os.access(folder, os.W_OK):
        raise SettingError("LOG_DIR", f"is not writable ({folder})", "Change its owner or name another folder.")
    return folder


def configuration(*, folder: Path, level: str) -> dict[str, Any]:
    """What ``LOGGING`` is: everything from ``level`` on, to the console and to ``folder/realtime.log``."""
    before = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        brief,
        structlog.processors.format_exc_info,
        cleaned,
    ]
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    formatter = {"()": structlog.stdlib.ProcessorFormatter, "foreign_pre_chain": before}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": formatter | {"processors": [remove, line]},
            "json": formatter | {"processors": [remove, structlog.processors.JSONRenderer()]},
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "line"},
            "file": {
                "()": SharedRotatingFileHandler,
                "filename": str(writable(folder) / "realtime.log"),
                "maxBytes": FIVE_MEGABYTES,
                "backupCount": BACKUPS,
                "encoding": "utf-8",
                "delay": True,
                "formatter": "json",
            },
        },
        "root": {"handlers": ["console", "file"], "level": level},
        "loggers": {
            # Django's own handlers would write every line a second time.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # One line per query or per frame is for a debugger, not for LOG_LEVEL=DEBUG.
            **{name: {"level": "INFO"} for name in ("django.db.backends", "asyncio", "django.template")},
            "daphne": {"level": "WARNING"},
            "axes": {"level": "WARNING"},  # otherwise four lines for each log-in
        },
    }
