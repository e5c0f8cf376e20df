"""A child of the soak that is told what to do by lines of JSON, and answers by lines of JSON."""

import json
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from gameBoosterss.development.children import spawn, stop


class Child:
    """``python -m module``. What it says that is no JSON is kept for the failure."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self.module = module
        self.said: deque[str] = deque(maxlen=60)
        self.process = spawn(command, env=environment, stdin=subprocess.PIPE, output=subprocess.PIPE)
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with suppress(OSError, ValueError):  # it is closed under us
            for line in self.process.stdout:
                self._lines.put(line.decode(errors="replace"))
        self._lines.put(None)

    def ask(self, patience: float, **command: Any) -> Any:
        """Say ``command``, if any; return the next answer."""
        if command:
            self.tell(**command)
        while True:
            try:
                line = self._lines.get(timeout=patience)
            except queue.Empty:
                raise AssertionError(f"{self.module} does not answer {command}:\n{''.join(self.said)}") from None
            assert line is not None, f"{self.module} has ended:\n{''.join(self.said)}"
            if line.startswith(("{", "[")):
                return json.loads(line)
            self.said.append(line)

    def tell(self, **command: Any) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: whoever waits for its answer is told its last words
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
            self.process.stdin.flush()

    def stop(self, how: int | None = None) -> None:
        stop(self.process, *([how] if how else []))
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
