"""What a soak found: by kind of trouble, and in all."""

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, machine


@dataclass(slots=True)
class Report:
    """Printed always, written when asked for."""

    seed: int
    seconds: float
    sockets: int
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    healing: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    memory: list[tuple[float, list[int]]] = field(default_factory=list)
    """Seconds since the beginning, and the KiB of each server."""

    def healed(self, trouble: str, seconds: float, late: list[str]) -> None:
        self.healing[trouble].append(seconds)
        print(f"  {trouble:<32} healed after {seconds:6.2f} s", *late, sep="\n      late: ", flush=True)

    def remembers(self, at: float, memory: list[int]) -> None:
        self.memory.append((at, memory))

    def growth(self) -> int:
        """Return by how many KiB the first server grew, from the middle of the soak to its end."""
        middle = next(memory for at, memory in self.memory if at >= self.memory[-1][0] / 2)
        return self.memory[-1][1][0] - middle[0]

    def whole(self, **more: Any) -> dict[str, Any]:
        kinds = {
            kind: {
                "times": len(found),
                "longest": round(max(found), 2),
                "median": round(sorted(found)[len(found) // 2], 2),
            }
            for kind, found in sorted(self.healing.items())
        }
        return {
            "benchmark": "soak",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "machine": machine(),
            "load": [round(self.load_before, 1), round(os.getloadavg()[0], 1)],
            "seed": self.seed,
            "seconds": round(self.seconds),
            "sockets": self.sockets,
            "seconds until all viewers had healed, by trouble": kinds,
            "MiB of the servers": [[round(at), *(round(each / 1024, 1) for each in kib)] for at, kib in self.memory],
            **more,
        }


def show(found: dict[str, Any]) -> None:
    """Print a report for people."""
    for name, value in found.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for key, each in value.items():
                print(f"    {key!s:<34} {each}")
        else:
            print(f"{name}: {value}")


def save(found: dict[str, Any]) -> Path:
    """Write the result file of today."""
    path = RESULTS / f"{found['date']}-soak.json"
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return path
