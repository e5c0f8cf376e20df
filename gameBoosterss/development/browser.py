"""The Chromium of the system, which the browser tests drive."""

import os
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome")
REMEDY = (
    "The browser tests need Chromium. Install it (for example: apt-get install chromium) "
    "so that 'chromium' is on PATH, or leave these tests out: ./dev test --no-browser"
)


def chromium() -> str | None:
    """Where Chromium is, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def install() -> str | None:
    """Install Chromium where that needs no question: as root, with apt-get. Otherwise say how, loudly."""
    if chromium() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium for the browser tests ...", flush=True)
        variables = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words in ("update -q", "install -y -q --no-install-recommends chromium"):
            subprocess.run(["apt-get", *words.split()], env=variables, stdout=subprocess.DEVNULL)
    if chromium() is None:
        print(f"\n*** {REMEDY} ***\n", flush=True)
    return chromium()
