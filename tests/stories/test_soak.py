"""Two servers and three hundred viewers, while everything under them breaks and heals: nothing is lost, shown twice,
out of order, or shown to whom it is not for; at the end everybody sees what the database has.

``SOAK_SECONDS``, ``SOAK_SOCKETS`` and ``SOAK_SEED`` choose another soak; ``SOAK_SAVE=1`` writes its report to
benchmarks/results; ``SOAK_LOGS`` names a folder in which the servers' logs are left.
"""

import os
import random
import time

import pytest

from tests.engines import scratch
from tests.soak import report as reports
from tests.soak.child import Child
from tests.soak.house import House, house
from tests.soak.report import Report
from tests.soak.troubles import TROUBLES

SECONDS = float(os.environ.get("SOAK_SECONDS", "0"))
SOCKETS = int(os.environ.get("SOAK_SOCKETS", "300"))
HEALED_WITHIN = 120.0
"""Generous: what heals at all does so in a few seconds, on a machine that has nothing else to do."""

KIB_MORE = 24 * 1024
"""What the first server may grow in the second half. A leak of a hundred bytes a frame is more in half an hour."""


@pytest.mark.soak
@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(SECONDS or 120, marks=pytest.mark.timeout((SECONDS or 120) + 600), id="short"),
        pytest.param(
            SECONDS or 1800, marks=[pytest.mark.long, pytest.mark.timeout((SECONDS or 1800) + 600)], id="long"
        ),
    ],
)
def test_viewers_see_the_truth_whatever_breaks(seconds: float) -> None:
    seed = int(os.environ.get("SOAK_SEED", "0")) or random.randrange(1, 10**6)
    print(f"\nSOAK_SEED={seed}, {seconds:g} s, {SOCKETS} sockets")
    report = Report(seed, seconds, SOCKETS)
    with scratch() as folder, house(folder, seed) as home:
        home.begin()
        crowd = home.crowd(SOCKETS)
        try:
            soak(home, crowd, report, random.Random(seed))
            home.end_writers()
            converged = crowd.ask(HEALED_WITHIN * 2, do="converged", within=HEALED_WITHIN)
            report.remembers(seconds, home.memory())
            found = crowd.ask(120, do="end")
        finally:
            crowd.stop()
        tracebacks = dict(home.tracebacks())
        examples, faults = found.pop("examples"), found.pop("faults")
        whole = report.whole(
            **{"converged after": round(converged["seconds"], 2)},
            **{"written": dict(home.done.most_common()), **found, "faults": faults, "tracebacks": tracebacks},
        )
        reports.show(whole)
        print(*examples, *converged["wrong"], sep="\n")
        if os.environ.get("SOAK_SAVE"):
            print(reports.save(whole))
        assert not faults, examples
        assert not converged["wrong"], converged["wrong"]
        assert not tracebacks
        assert report.growth() < KIB_MORE, report.memory
        assert found["frames"] == found["judged"] > SOCKETS


def soak(home: House, crowd: Child, report: Report, dice: random.Random) -> None:
    """Strike, let heal, and strike again; every trouble once before any comes again."""
    healed(crowd, "everybody has come", report)
    began = time.monotonic()
    bag: list[str] = []
    while time.monotonic() - began < report.seconds:
        if not bag:
            bag = sorted(TROUBLES)
            dice.shuffle(bag)
        kind = bag.pop()
        TROUBLES[kind](home, dice)
        healed(crowd, kind, report)
        report.remembers(time.monotonic() - began, home.memory())
        time.sleep(dice.uniform(0, 3))


def healed(crowd: Child, kind: str, report: Report) -> None:
    answer = crowd.ask(HEALED_WITHIN * 2, do="healed", within=HEALED_WITHIN)
    report.healed(kind, answer["seconds"], answer["late"])
    assert answer["healed"], f"after {kind}: {answer['late']} {answer['examples']}"
