"""``docs/reference/asyncapi.json``, written anew or read by the rules of others: ``python -m … [write]``."""

import hashlib
import os
import shutil
import subprocess
import sys

from gameBoosterss.development.checkout import ROOT

FOLDER = ROOT / "wire" / "lint"
DOCUMENT = ROOT / "docs" / "reference" / "asyncapi.json"
COMMAND = ["realtime_asyncapi", "--feed", "order", "--examples", str(ROOT / "wire" / "frames")]


def missing() -> str:
    """Return which program is not here; empty: all are."""
    return next((f"there is no {name} on PATH" for name in ("node", "npm") if shutil.which(name) is None), "")


def write() -> int:
    """Write the document anew."""
    done = subprocess.run([sys.executable, "manage.py", *COMMAND], cwd=ROOT, stdout=subprocess.PIPE)
    if done.returncode == 0:
        DOCUMENT.write_bytes(done.stdout)
    return done.returncode


def prepare() -> int:
    """Install what the lock names, unless it is there: about 15 s and 55 MB, once."""
    lock = FOLDER / "package-lock.json"
    stamp = FOLDER / "node_modules" / ".installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    code = subprocess.run(["npm", "ci", "--no-progress"], cwd=FOLDER, env=_environment()).returncode
    if code == 0:
        stamp.write_text(wanted)
    return code


def lint() -> int:
    """Have the document read by AsyncAPI's own parser, and its examples by its schemas."""
    code = prepare()
    return code or subprocess.run(["node", "lint.mjs", str(DOCUMENT)], cwd=FOLDER, env=_environment()).returncode


def _environment() -> dict[str, str]:
    """Nothing is reported to anybody, and no newer npm is looked for."""
    return os.environ | {"NPM_CONFIG_UPDATE_NOTIFIER": "false", "DO_NOT_TRACK": "1", "SCARF_ANALYTICS": "false"}


if __name__ == "__main__":
    sys.exit(write() if sys.argv[1:] == ["write"] else lint())
