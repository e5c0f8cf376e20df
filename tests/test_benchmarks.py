"""The benchmarks run; what they measure at this size means nothing."""

import os
import subprocess
import sys

import pytest

from tests.server import ROOT

ROWS = {
    "capture": ["a save, by triggers", "a save, by the ORM", "what triggers add", "eight writers, by triggers"],
    "capture --sqlite": ["a save, by the ORM"],
    "attack": ["alone: p99, before oversize", "beside oversize: p99, of that alone"],
    "delivery": ["100/s: commit to the broker, p99", "1 000/s: came by a socket of Daphne"],
    "latency": ["here: arrived", "usual stack: lost", "p99 here, from the commit, of the usual stack's"],
    "watchers": ["here: arrived", "usual stack, core layer: arrived", "usual stack, pub/sub layer: arrived"],
}


LONG = {"attack", "capture", "delivery", "latency", "watchers"}
"""A quarter of a minute each and more; what they share with the others runs with these."""


@pytest.mark.parametrize(
    "benchmark", [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in ROWS]
)
def test_a_benchmark_runs_and_says_its_rows(benchmark: str) -> None:
    name, *options = benchmark.split()
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--tiny", *options],
        env=dict(os.environ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
    for row in ROWS[benchmark]:
        assert row in done.stdout
