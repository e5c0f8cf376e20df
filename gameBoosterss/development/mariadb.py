"""MariaDB from the system's packages, for the long tests: ``python -m gameBoosterss.development.mariadb <command>``."""

import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from gameBoosterss.development.children import spawn, stop
from gameBoosterss.development.engine import Engine, EngineError

NAME = "gameboosterss"
PACKAGE = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "mariadb-server"]


def missing() -> str:
    """Install MariaDB where it is missing and root may; why there is none, or an empty string."""
    if _program() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        # The service that Debian would start is not wanted: we start our own, in a folder of its own.
        subprocess.run(PACKAGE, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"})
    return "" if _program() else "there is no mariadbd on PATH; on Debian: apt-get install mariadb-server"


def _program() -> str | None:
    return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")


class MariaDb(Engine):
    """MariaDB on loopback, with one user and his password, in a folder that goes with it."""

    name = "mariadb"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.password = secrets.token_hex(16)
        self.user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None

    def start(self) -> None:
        """Make the tables of the system, and the user, then start."""
        first = self.folder / "first.sql"
        for path in (self.folder, first):
            path.touch(mode=0o600) if path is first else path.mkdir(parents=True, exist_ok=True)
            if self.user is not None:
                os.chown(path, self.user, -1)
        first.write_text(
            f"CREATE USER {NAME}@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {NAME}@'127.0.0.1';\n"
            f"ALTER USER root@localhost IDENTIFIED BY '{self.password}';\n"
        )
        made = spawn(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={self.folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            user=self.user,
            output=subprocess.PIPE,
        )
        words, _ = made.communicate()
        if made.returncode:
            raise EngineError(f"mariadb-install-db failed:\n{words.decode(errors='replace')[-1500:]}")
        super().start()

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        settings = {
            "datadir": self.folder / "data",
            "socket": self.folder / "socket",
            "pid-file": self.folder / "pid",
            "init-file": self.folder / "first.sql",
            "bind-address": "127.0.0.1",
            "port": self.port,
            "skip-name-resolve": "ON",
            "innodb-flush-log-at-trx-commit": 0,
            "character-set-server": "utf8mb4",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return spawn([_program() or "mariadbd", "--no-defaults", *options], user=self.user, output=output)

    def _answers(self) -> bool:
        asked = subprocess.run(
            ["mariadb-admin", "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", f"--port={self.port}"]
            + [f"--user={NAME}", "status"],
            env=os.environ | {"MYSQL_PWD": self.password},
            capture_output=True,
        )
        return asked.returncode == 0


def main(command: list[str]) -> int:
    """Run ``command`` with a MariaDB that it finds by MARIADB_PORT and MARIADB_PASSWORD; return its code."""
    place = Path("/var/tmp") if os.access("/var/tmp", os.W_OK) else Path(tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix="gameBoosterss-mariadb-", dir=place))
    folder.chmod(0o755)
    try:
        with MariaDb(folder / "mariadb") as engine:
            found = {"MARIADB_PORT": str(engine.port), "MARIADB_PASSWORD": engine.password}
            child = spawn(command, env=os.environ | found, own_group=False)
            try:
                return child.wait()
            finally:
                stop(child)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
