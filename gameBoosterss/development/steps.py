"""How the steps of ``./dev test`` are run: what is quiet in pairs, what talks alone."""

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from gameBoosterss.development.checkout import ROOT, VAR
from gameBoosterss.development.children import spawn, stop


@dataclass(slots=True)
class Options:
    """What the user asked for, and what the steps need to know of it."""

    pytest: list[str] = field(default_factory=list)
    long: bool = False
    browser: bool = True
    reports: Path = VAR / "test"


@dataclass(frozen=True, slots=True)
class Step:
    """One check. ``skip`` returns the reason why there is nothing to check yet, or an empty string."""

    name: str
    does: str
    command: Callable[[Options], Sequence[str]]
    skip: Callable[[Options], str] = lambda options: ""
    live: bool = False  # its output goes to the screen as it comes


@dataclass(frozen=True, slots=True)
class Result:
    step: Step
    state: str  # ok, FAILED, or skipped: why
    seconds: float


class Work:
    """One step under way; what it says is shown when it fails."""

    def __init__(self, step: Step, options: Options) -> None:
        print(f"── {step.name}: {step.does}", flush=True)
        self.step, self._kept, self._began = step, ExitStack(), time.monotonic()
        folder = self._kept.enter_context(tempfile.TemporaryDirectory())
        self._said = Path(folder) / "said"
        variables = environment(folder)
        if not step.live:
            variables.setdefault("DATABASE_URL", "sqlite://:memory:")
        with self._said.open("wb") as said:
            output = None if step.live else said
            self._child = spawn(step.command(options), env=variables, output=output, own_group=False)
        self._kept.callback(stop, self._child)

    def is_over(self) -> bool:
        return self._child.poll() is not None

    def end(self) -> None:
        self._kept.close()

    def result(self) -> Result:
        """Wait for its end; whatever interrupts us ends it."""
        with self._kept:
            code = self._child.wait()
            if code and not self.step.live:
                print(f"── {self.step.name} failed:\n{self._said.read_text(errors='replace')}", flush=True)
        return Result(self.step, f"FAILED ({code})" if code else "ok", time.monotonic() - self._began)


def perform(steps: Iterable[Step], options: Options) -> Iterator[Result]:
    """Run the steps in their order, quiet ones in pairs: each of them uses one core, and two are there."""
    under_way: list[Work] = []
    try:
        for step in steps:
            while len(under_way) == 2 or (step.live and under_way):
                yield from _ended(under_way)
            reason = step.skip(options)
            if reason:
                yield Result(step, f"skipped: {reason}", 0)
            elif step.live:
                yield Work(step, options).result()
            else:
                under_way.append(Work(step, options))
        while under_way:
            yield from _ended(under_way)
    finally:
        for work in under_way:
            work.end()


def _ended(under_way: list[Work]) -> Iterator[Result]:
    """Take out what has ended; wait a moment when nothing has."""
    over = [work for work in under_way if work.is_over()]
    for work in over:
        under_way.remove(work)
        yield work.result()
    if not over:
        time.sleep(0.05)


def environment(folder: str) -> dict[str, str]:
    """For the static steps: settings of development, a database that is nowhere. Pytest sets its own."""
    defaults = {"DEBUG": "1", "SECRET_KEY": "test" * 16, "LOG_DIR": folder}
    path = filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])
    return defaults | dict(os.environ) | {"PYTHONPATH": os.pathsep.join(path)}
