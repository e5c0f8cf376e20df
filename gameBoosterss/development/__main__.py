"""``python -m gameBoosterss.development``: the commands of ``./dev``."""

import argparse
import os
import signal
import sys

from gameBoosterss.development.checkout import ROOT, Taken
from gameBoosterss.development.engines import EngineError


def ended(number: int, frame: object) -> None:
    """Turn a signal into an exit, so that every ``with`` block closes; further signals are too late."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    sys.exit(128 + number)


def run(arguments: list[str]) -> int:
    from gameBoosterss.development.run import run

    parser = argparse.ArgumentParser(prog="./dev run", description="Everything up, with demo data and a simulation.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--no-simulate", dest="simulate", action="store_false", help="nobody plays; it is quiet")
    parser.add_argument("--no-engines", dest="embedded", action="store_false", help="SQLite and the broker in memory")
    parser.add_argument("--access-log", action="store_true", help="a line for every request")
    return run(**vars(parser.parse_args(arguments)))


def test(arguments: list[str]) -> int:
    from gameBoosterss.development.checks import test

    return test(arguments)


def manage(arguments: list[str]) -> int:
    from gameBoosterss.development.run import manage

    return manage(arguments)


def lock(arguments: list[str]) -> int:
    from gameBoosterss.development.locks import lock

    return lock(arguments)


COMMANDS = {"run": run, "test": test, "manage": manage, "lock": lock}


def main() -> int:
    """Run one command; its errors are sentences, not tracebacks."""
    os.chdir(ROOT)
    name, arguments = sys.argv[1], sys.argv[2:]
    if name not in COMMANDS:
        print(f"./dev knows no {name!r}. It knows: {', '.join(COMMANDS)}. ./dev alone explains them.", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended)
    try:
        return COMMANDS[name](arguments)
    except (EngineError, Taken) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
