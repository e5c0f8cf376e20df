"""The locks of the requirements: written without addresses, so that any package index serves them."""

import os
import subprocess
import sys
from pathlib import Path

from gameBoosterss.development.checkout import ROOT

FOLDER = ROOT / "requirements"
ORDER = ("uv", "app", "dev", "older", "mariadb")
FORM = ["--universal", "--generate-hashes", "--no-annotate", "--no-header", "--python-version", "3.11", "--quiet"]


def lock(options: list[str]) -> int:
    """Write every lock anew; versions stay unless ``--upgrade`` or ``--upgrade-package`` says otherwise."""
    uv = Path(sys.executable).with_name("uv")
    for name in ORDER:
        command = [str(uv), "pip", "compile", *FORM, *options, f"{name}.in", "-o", f"{name}.lock"]
        done = subprocess.run(command, cwd=FOLDER, env=os.environ | {"UV_PYTHON_DOWNLOADS": "never"})
        if done.returncode:
            print(f"requirements/{name}.in has no solution (see above).", file=sys.stderr)
            return done.returncode
        print(f"requirements/{name}.lock")
    return check()


def check() -> int:
    """Whether every lock is free of addresses and every requirement has a hash."""
    locks = dict.fromkeys(sorted(FOLDER.glob("*.lock")), "--hash=sha256:")
    locks |= dict.fromkeys(sorted(ROOT.glob("wire/*/package-lock.json")), '"integrity": "sha512-')
    texts = {path: path.read_text() for path in locks}
    wrong = [path for path, mark in locks.items() if "http" in texts[path] or mark not in texts[path]]
    for path in wrong:
        print(f"{path.relative_to(ROOT)} names an address or lacks hashes: docs/reference/commands.md", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(check())
