"""PostgreSQL and Valkey from wheels, on loopback, for as long as this process lives."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, ClassVar, Self

from gameBoosterss.development import binaries
from gameBoosterss.development.binaries import Unfit
from gameBoosterss.development.children import alive, free_port, spawn, stop

NAME = "gameboosterss"
PATIENCE = 60  # seconds: a database that was killed replays its log first


class EngineError(Exception):
    """An engine fits this platform but does not start or stop as it should; the message carries its last words."""


class Engine:
    """A server process that dies with us. It keeps its port over ``stop()`` and ``start()``.

    ``start`` returns when the server answers; ``stop`` when the process has ended.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[int] = signal.SIGTERM

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder
        self.log = folder / f"{self.name}.log"
        self.fixed = port is not None
        self.port = port or 0
        self.child: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    @property
    def pid(self) -> int:
        """The number of the server process; an error while it is down."""
        if self.child is None:
            raise EngineError(f"{self.name} is not running.")
        return self.child.pid

    def start(self) -> None:
        """Start, on the port of last time; the first time another program may be faster, so there are three tries."""
        if self.running:
            return
        for last in (False, False, True):
            if not self.fixed:
                self.port = free_port()
            try:
                self._start()
            except EngineError:
                if self.fixed or last:
                    raise
            else:
                self.fixed = True
                return

    def stop(self, how: int | None = None) -> None:
        """End the server; ``how=signal.SIGKILL`` gives it no time to tidy up."""
        if self.child is not None:
            stop(self.child, how or self.stop_signal, patience=20)
            self.child = None

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            self.child = self._spawn(output)
        ends = time.monotonic() + PATIENCE
        while not self._answers():
            if self.child.poll() is not None or time.monotonic() > ends:
                stop(self.child)
                words = self.log.read_text(errors="replace").strip()[-1500:]
                raise EngineError(f"{self.name} did not start on port {self.port}. Its last words:\n{words}")
            time.sleep(0.03)

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Valkey(Engine):
    """Valkey 9 with a password and nothing on disk: what it carries may be lost."""

    name = "valkey"

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        super().__init__(folder, port=port)
        self.program = binaries.valkey()
        self.password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def pause(self) -> None:
        """Stop it in its tracks: connections stay open and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where ``pause`` has stopped it."""
        os.kill(self.pid, signal.SIGCONT)

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        child = spawn([self.program, "-"], output=output, stdin=subprocess.PIPE)
        assert child.stdin is not None
        # By standard input: the process list shows arguments to everybody.
        with child.stdin as configuration:
            configuration.write(
                f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
                f'save ""\nappendonly no\ndatabases 64\ndir "{self.folder}"\n'.encode()
            )
        return child

    def _answers(self) -> bool:
        import redis

        with redis.Redis.from_url(self.url, socket_timeout=1, socket_connect_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


class Postgres(Engine):
    """PostgreSQL 18 with one database, ``gameboosterss``, and a password kept beside it.

    What was committed survives a kill of the server; with ``durable`` also a power cut of the machine.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions, then shuts down cleanly

    def __init__(self, folder: Path, *, durable: bool, port: int | None = None) -> None:
        super().__init__(folder, port=port)
        self.durable = durable
        self.programs = binaries.postgres()
        if self.programs.user is not None and not binaries.reachable(existing(folder)):
            # The servant of root cannot walk there: a place outside, one for each folder.
            self.folder = binaries.outside(f"data-{folder.resolve().as_posix().strip('/').replace('/', '-')}")
        self.data = self.folder / "data"
        self.password = ""

    @property
    def url(self) -> str:
        return f"postgres://{NAME}:{self.password}@127.0.0.1:{self.port}/{NAME}"

    def start(self) -> None:
        """Make the cluster at the first start, then start the server on it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        secret = self.folder / "password"
        if not (self.data / "PG_VERSION").exists():
            self._initdb(secret)
        elif self.data.stat().st_uid != (os.geteuid() if self.programs.user is None else self.programs.user):
            raise EngineError(
                f"{self.data} belongs to another user. Start as that user, or delete {self.folder} (demo data only)."
            )
        self.password = secret.read_text()
        self._await_predecessor()
        super().start()

    def _initdb(self, secret: Path) -> None:
        """A new cluster; it gets its name when it is complete, so that an interrupted start leaves no half."""
        fresh = self.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(16))
        offered = fresh / "password"
        offered.touch(mode=0o600)
        offered.write_text(secret.read_text())
        user = self.programs.user
        if user is not None:
            for path in (fresh, offered):
                os.chown(path, user, -1)
        options = f"-U {NAME} --auth=scram-sha-256 -c scram_iterations=1 --encoding=UTF8 --no-sync --no-instructions"
        options += " --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C"
        command: list[str | Path] = [self.programs.folder / "initdb", "-D", fresh / "data", "--pwfile", offered]
        made = spawn([*command, *options.split()], user=user, output=subprocess.PIPE)
        words, _ = made.communicate()
        if made.returncode:
            raise EngineError(f"initdb failed:\n{words.decode(errors='replace')[-1500:]}")
        (fresh / "data").rename(self.data)
        shutil.rmtree(fresh)

    def _await_predecessor(self) -> None:
        """Wait for a server that was left a moment ago and is shutting down on the same data."""
        note = self.data / "postmaster.pid"
        ends = time.monotonic() + 20
        while time.monotonic() < ends:
            try:
                pid = int(note.read_text().split()[0])
            except (OSError, ValueError, IndexError):
                return
            if not alive(pid):
                return
            time.sleep(0.1)

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        on = "on" if self.durable else "off"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": on,
            "synchronous_commit": "on",  # costs little without fsync, and a killed server keeps what was committed
            "full_page_writes": on,
            "max_connections": 300,
            "shared_buffers": "64MB",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return spawn(
            [self.programs.folder / "postgres", "-D", self.data, *options],
            user=self.programs.user,
            output=output,
            on_death=signal.SIGINT if self.durable else signal.SIGQUIT,
        )

    def _answers(self) -> bool:
        import psycopg

        server = self.url.removesuffix(NAME) + "postgres"
        try:
            with psycopg.connect(server, autocommit=True, connect_timeout=2) as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone()
                if not found:
                    connection.execute(f"CREATE DATABASE {NAME}")
        except psycopg.OperationalError:
            return False
        return True


def existing(path: Path) -> Path:
    """``path``, or the nearest folder above it that is there."""
    return next(folder for folder in [path.resolve(), *path.resolve().parents] if folder.exists())


@dataclass(slots=True)
class Engines:
    """What runs, the variables that lead there, and what to tell the user."""

    postgres: Postgres | None = None
    valkey: Valkey | None = None
    variables: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def has_redis(self) -> bool:
        return "REDIS_URL" in self.variables


@contextmanager
def engines(
    folder: Path, *, durable: bool, given: Mapping[str, str] | None = None, embedded: bool = True
) -> Iterator[Engines]:
    """Start what the environment does not name already; stop it at the end.

    Where a wheel does not fit: SQLite in ``folder``, and the broker in memory.
    """
    given = os.environ if given is None else given
    found = Engines()
    with ExitStack() as stack:
        if given.get("DATABASE_URL"):
            found.variables["DATABASE_URL"] = given["DATABASE_URL"]
            found.notes.append("Database: the one of DATABASE_URL.")
        else:
            try:
                if not embedded:
                    raise Unfit("not wanted")
                found.postgres = stack.enter_context(Postgres(folder / "postgres18", durable=durable))
                found.variables["DATABASE_URL"] = found.postgres.url
            except Unfit as reason:
                folder.mkdir(parents=True, exist_ok=True)
                found.variables["DATABASE_URL"] = f"sqlite:///{folder.resolve() / 'db.sqlite3'}"
                found.notes.append(f"No embedded PostgreSQL ({reason}): SQLite in {folder / 'db.sqlite3'} instead.")
        if given.get("REDIS_URL"):
            found.variables["REDIS_URL"] = given["REDIS_URL"]
            found.notes.append("Channel layer: the server of REDIS_URL.")
        elif given.get("REDIS_HOST"):
            from gameBoosterss.env import Environment

            found.variables["REDIS_URL"] = Environment(given).redis()
            found.notes.append("Channel layer: the server of REDIS_HOST.")
        else:
            try:
                if not embedded:
                    raise Unfit("not wanted")
                found.valkey = stack.enter_context(Valkey(folder / "valkey"))
                found.variables["REDIS_URL"] = found.valkey.url
            except Unfit as reason:
                found.notes.append(f"No embedded Valkey ({reason}): the broker in memory, in one process.")
        yield found
