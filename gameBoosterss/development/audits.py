"""What is known of the packages that we name: a service of PyPI, and one of npm, are asked. Only with a network.

Both tools end well where nothing could be asked: pip-audit calls each package "not found". So each is tried first.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gameBoosterss.development.checkout import ROOT, VAR

LOCKS = ("app", "dev")
LINT = ROOT / "wire" / "lint"
PATIENCE = 120  # seconds


def pip_audit(*arguments: str) -> list[str]:
    """Return the command that audits; the locks have every package with its hash, so that nothing is resolved."""
    options = ["--disable-pip", "--progress-spinner", "off", "--strict"]
    return [sys.executable, "-m", "pip_audit", *options, *arguments]


def of_python() -> Sequence[str]:
    return pip_audit(*(part for lock in LOCKS for part in ("-r", str(ROOT / "requirements" / f"{lock}.lock"))))


def of_node() -> Sequence[str]:
    return ["npm", "audit", "--prefix", str(LINT)]


def python_missing() -> str:
    """Return why Python's packages cannot be audited here, or an empty string. One package is asked for."""
    probe = VAR / "audit.txt"
    probe.write_text(_first_of(ROOT / "requirements" / "app.lock"))
    said = _said([word for word in pip_audit("-r", str(probe), "-f", "json") if word != "--strict"])
    try:
        (found,) = json.loads(said)["dependencies"]
    except (ValueError, KeyError):
        return "the service of pip-audit does not answer here"
    return "the package index here has no audit service" if "skip_reason" in found else ""


def node_missing() -> str:
    """Return why npm's packages cannot be audited here, or an empty string."""
    if shutil.which("npm") is None:
        return "there is no npm on PATH"
    try:
        found = json.loads(_said(["npm", "audit", "--json", "--prefix", str(LINT)]))
    except ValueError:
        return "the service of npm does not answer here"
    return "" if "vulnerabilities" in found else "the package registry here has no audit service"


def _first_of(lock: Path) -> str:
    """Return the first package of ``lock`` with its hashes, as the lock has them."""
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    ends = next((number for number, line in enumerate(lines) if not line.endswith("\\")), len(lines))
    return "\n".join(lines[: ends + 1]) + "\n"


def _said(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout
