"""Two servers, four writers, a PostgreSQL and a Valkey, all the soak's own."""

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis
from cryptography.fernet import Fernet

from gameBoosterss.development.engines import Postgres, Valkey
from tests.server import ROOT, Server
from tests.soak.child import Child

HEARTBEAT = 3.0
SETTINGS = {
    "HEARTBEAT_SECONDS": HEARTBEAT,
    "STREAM_COMMENT_SECONDS": HEARTBEAT,
    "STREAM_SECONDS": 40.0,
    "RETURN_SECONDS": 1.0,
}
WRITERS = 4
KNOWN = ("channels_redis.pubsub: Unexpected exception",)
"""Tracebacks that are somebody else's known answer: the library's, when its Redis goes away."""

PATIENCE = 120.0
"""Seconds that a server may take to answer while everybody comes to it."""

A_SECOND = 5.0
"""Acts of each writer, at most."""


class House:
    """What the troubles strike. The first server is never ended, so that its memory can be compared with itself."""

    def __init__(self, folder: Path, postgres: Postgres, valkey: Valkey, seed: int) -> None:
        self.postgres, self.valkey, self.seed = postgres, valkey, seed
        self.environment = os.environ | {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
            "DJANGO_SETTINGS_MODULE": "tests.soak.settings",
            "REALTIME_SETTINGS": json.dumps(SETTINGS),
            "CHANNEL_PREFIX": "soak",
            "CHANNEL_LAYER": "pubsub",
            "ACCOUNT_KEYS": f"soak:{Fernet.generate_key().decode()}",
            "DEBUG": "0",  # with DEBUG Django keeps every statement
            "SECRET_KEY": "soak" * 16,
            "ALLOWED_HOSTS": "127.0.0.1",
            "HTTPS": "0",
            "LOG_DIR": str(folder / "log"),
            "PYTHONPATH": str(ROOT),
        }
        self.servers = [Server(self.environment, folder / f"server{number}.log") for number in (1, 2)]
        self.writers: list[Child] = []
        self.done: Counter[str] = Counter()
        """What writers did that ended by themselves."""
        self._writers = 0

    def people(self) -> list[dict[str, Any]]:
        """Migrate, and make everybody."""
        child = Child("tests.soak.cast", environment=self.environment)
        try:
            return list(child.ask(120))
        finally:
            child.stop()

    def crowd(self, sockets: int) -> Child:
        """Start the viewers."""
        child = Child("tests.soak.crowd", environment=self.environment)
        child.tell(
            people=self.everybody,
            ports=[server.port for server in self.servers],
            seed=self.seed,
            sockets=sockets,
        )
        return child

    def begin(self) -> None:
        """Make people and orders, and start servers and writers."""
        self.everybody = self.people()
        for server in self.servers:
            server.start(PATIENCE)
        for _ in range(WRITERS):
            self.start_writer()

    def start_writer(self) -> None:
        self._writers += 1
        arguments = (f"writer{self._writers}", str(self.seed * 100 + self._writers), str(A_SECOND))
        self.writers.append(Child("tests.soak.writer", *arguments, environment=self.environment))

    def kill_writer(self, dice: random.Random) -> None:
        """Kill one of the writers in whatever it is doing, and start another."""
        self.writers.pop(dice.randrange(len(self.writers))).stop(9)
        self.start_writer()

    def end_writers(self) -> None:
        """Let every writer end, and count what they did."""
        for writer in self.writers:
            writer.tell()
        for writer in self.writers:
            self.done.update(writer.ask(60))
            writer.stop()
        self.writers = []

    def bus(self, *words: str) -> Any:
        """Give a command to Valkey."""
        with redis.Redis.from_url(self.valkey.url) as client:
            return client.execute_command(*words)

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(statement)

    def memory(self) -> list[int]:
        """Return the KiB that each server has in memory."""
        return [resident(server.pid) for server in self.servers]

    def tracebacks(self) -> Counter[str]:
        """Return who logged a traceback, and its last line: only what is no known answer to a trouble."""
        found: Counter[str] = Counter()
        for server in self.servers:
            found.update(tracebacks(server.log.read_text(errors="replace")))
        return Counter({words: many for words, many in found.items() if not words.startswith(KNOWN)})

    def end(self) -> None:
        for child in self.writers:
            child.stop()
        for server in self.servers:
            server.stop()
            if (left := os.environ.get("SOAK_LOGS")) and server.log.exists():
                shutil.copy(server.log, left)


def resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def tracebacks(log: str) -> Iterator[str]:
    """Yield what was logged with each traceback in ``log``, and what that ends with.

    >>> log = "12:00 ERROR   a.b: it broke\\n    | Traceback (most\\n    |   File ...\\n    | KeyError: 1"
    >>> list(tracebacks(log))
    ['a.b: it broke: KeyError: 1']
    """
    head, inside = "", False
    for line in log.splitlines():
        if not line.startswith("    | "):
            head = line.split(None, 2)[-1] if line.strip() else head
            inside = "Traceback" in line
        elif line.startswith("    | Traceback"):
            inside = True
        elif inside and not line.startswith("    |  ") and line.strip(" |"):
            yield f"{head}: {line.removeprefix('    | ')}"
            inside = False


@contextmanager
def house(folder: Path, seed: int) -> Iterator[House]:
    """Run engines of the soak's own; end everything that was started."""
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres(folder / "postgres", durable=False))
        valkey = stack.enter_context(Valkey(folder / "valkey"))
        found = House(folder, postgres, valkey, seed)
        stack.callback(found.end)
        yield found
