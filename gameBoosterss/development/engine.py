"""What PostgreSQL and Valkey have in common as our children: start, answer, stop, keep the port."""

import signal
import subprocess
import time
from pathlib import Path
from typing import IO, ClassVar, Self

from gameBoosterss.development.children import free_port, stop

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
