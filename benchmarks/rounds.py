"""Interleaved rounds: what is compared is measured in turns, so that a slow minute of the machine is everybody's."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

Mode = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of repeats.

    >>> Spread.of([1.0, 2.0, 3.0, 4.0, 5.0])
    Spread(low=2.0, median=3.0, high=4.0)
    """

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, median, high)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


def interleaved(modes: Mapping[str, Mode], measure: Callable[[], float], *, rounds: int) -> dict[str, list[float]]:
    """Return what ``measure`` gave in each mode, a value a round; the order of modes turns with the rounds."""
    names = list(modes)
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            with modes[name]():
                found[name].append(measure())
    return found


def ratio(values: Sequence[float], bare: Sequence[float]) -> Spread:
    """Return how many times ``bare`` the values are, round by round."""
    return Spread.of([value / base for value, base in zip(values, bare, strict=True)])


def typical(
    work: Callable[[], object], times: int, *, warm: int = 0, after: Callable[[], object] = lambda: None
) -> float:
    """Return the median seconds of one ``work``; ``warm`` first runs, and ``after`` each, do not count."""
    found = []
    for _ in range(warm + times):
        found.append(timed(work))
        after()
    return statistics.median(found[warm:])


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value below which ``share`` of the values lie.

    >>> percentile(range(1, 101), 0.99)
    99
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]
