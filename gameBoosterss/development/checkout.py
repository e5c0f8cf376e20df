"""The engines of this checkout: one process owns them, others join it."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gameBoosterss.development.children import alive
from gameBoosterss.development.engines import Engines, engines

ROOT = Path(__file__).resolve().parent.parent.parent
VAR = ROOT / "var"
STATE = VAR / "engines.json"


class Taken(Exception):
    """Another process of this checkout owns the engines; the message says which."""


@contextmanager
def checkout_engines(purpose: str, *, join: bool, embedded: bool = True) -> Iterator[Engines]:
    """Own the engines, or with ``join`` use those of the owner while it lives.

    The lock ends with its process, whatever ends it; the state file only says what is where.
    """
    VAR.mkdir(exist_ok=True)
    with (VAR / "engines.lock").open("w") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state = owner()
            if not join:
                raise Taken(f"{state['purpose']} (process {state['pid']}) already runs in this checkout.") from None
            yield Engines(variables=state["variables"])
            return
        STATE.unlink(missing_ok=True)
        with engines(VAR, durable=True, embedded=embedded) as found:
            write_state({"pid": os.getpid(), "purpose": purpose, "variables": found.variables})
            try:
                yield found
            finally:
                STATE.unlink(missing_ok=True)


def write_state(state: dict[str, object]) -> None:
    """Readable by us alone: it carries passwords. Renamed into place, so that nobody reads a half."""
    fresh = STATE.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(state))
    fresh.rename(STATE)


def owner(patience: float = 60) -> dict[str, Any]:
    """What the owner has written; it may be about to start its engines."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        try:
            state = json.loads(STATE.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            state = None
        if state and alive(state["pid"]):
            return dict(state)
        time.sleep(0.1)
    raise Taken("Another process holds var/engines.lock but does not say what runs. Stop it and start again.")
