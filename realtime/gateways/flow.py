"""How much a line of Twisted's holds in each direction, and whether it takes more."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

KERNEL_BYTES = 128 * 1024
"""What the kernel may hold for a reader; left to itself it takes megabytes of states that are long past."""

LINE_BYTES = 16 * 1024
"""What waits in front of the kernel's buffer before a line is full."""


class Flow:
    """Whether a line takes more. Twisted pauses it when ``LINE_BYTES`` wait in front of the kernel's buffer.

    ``resumed`` is called when it takes more again.
    """

    def __init__(self, resumed: Callable[[], None] = lambda: None) -> None:
        self._resumed = resumed
        self.is_open = asyncio.Event()
        self.is_open.set()
        self._full_since: float | None = None

    def full_for(self) -> float:
        """Return for how many seconds the line has taken nothing more."""
        return 0.0 if self._full_since is None else time.monotonic() - self._full_since

    def pauseProducing(self) -> None:  # noqa: N802 (Twisted names these)
        if self._full_since is None:
            self._full_since = time.monotonic()
        self.is_open.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self._full_since = None
        self.is_open.set()
        self._resumed()

    def stopProducing(self) -> None:  # noqa: N802
        """The line is gone: whoever waits for it goes on and finds out."""
        self._full_since = None
        self.is_open.set()


def hold_little(transport: Any) -> None:
    """Have Twisted and the kernel hold little for this reader."""
    transport.bufferSize = LINE_BYTES
    line = transport.getHandle()
    if isinstance(line, socket.socket):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
