"""The children of a benchmark: they say ``ready``, take lines, and end with one line of JSON."""

import os
import subprocess
import sys
from collections.abc import Mapping

from benchmarks.stage import ROOT
from gameBoosterss.development.children import spawn, stop


def begin(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start ``python -m module``; it ends with this process."""
    return spawn(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **(environment or {}), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        output=subprocess.PIPE,
    )


def ready(child: subprocess.Popen[bytes], line: str = "") -> None:
    """Say ``line`` to a child, if any, and wait until it is ready; what it says before are warnings."""
    assert child.stdin is not None
    assert child.stdout is not None
    if line:
        child.stdin.write(f"{line}\n".encode())
        child.stdin.flush()
    said = b""
    while not said.endswith(b"ready\n"):
        word = child.stdout.readline()
        assert word, said.decode()
        said += word


def ended(child: subprocess.Popen[bytes], line: str = "") -> str:
    """Say ``line`` to a child and let it end; return its last line."""
    try:
        said, _ = child.communicate(f"{line}\n".encode())
    finally:
        stop(child)
    assert child.returncode == 0, said.decode()
    return said.decode().splitlines()[-1]
