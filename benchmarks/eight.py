"""Eight processes that write as fast as they can, each to an order of its own."""

import json
from collections.abc import Sequence

from benchmarks.processes import begin, ended, ready


def eight_writers(orders: Sequence[int], updates: int, *, captured: bool) -> float:
    """Return the commits a second while all of them write; ``captured``: with the triggers that are installed."""
    how = "triggers" if captured else "silent"
    writers = [begin("benchmarks.writer", how, str(order), str(updates), "inf") for order in orders]
    for writer in writers:
        ready(writer)
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    commits = [json.loads(ended(writer))["committed"] for writer in writers]
    first, last = max(each[0] for each in commits), min(each[-1] for each in commits)
    while_all_wrote = sum(first <= at <= last for each in commits for at in each)
    return while_all_wrote / ((last - first) / 1e9) if last > first else float("nan")
