"""One passage of updates from a writing process over a server to watching processes, each measured."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import begin, ended, ready
from benchmarks.rounds import percentile
from gameBoosterss.development.children import stop
from tests.server import ROOT, Server, session_of
from tests.wire import handshake

OURS = "gameBoosterss.asgi:application"


@dataclass(frozen=True, slots=True)
class Passage:
    """What became of the updates: the writer's pace, and when each came to each ear, in seconds after its commit."""

    updates: int
    a_second: float
    delays: list[list[float]]

    def share(self, ear: int) -> float:
        """Return how much of what was written came to this ear."""
        return len(self.delays[ear]) / self.updates

    def delay(self, ear: int, share: float) -> float:
        """Return the milliseconds within which ``share`` of what came to this ear came; of all ears with -1."""
        found = [delay for ear_delays in self.delays for delay in ear_delays] if ear < 0 else self.delays[ear]
        return percentile(found, share) * 1000 if found else float("nan")

    @property
    def arrived(self) -> float:
        """The share of what was due that came to any ear."""
        return sum(map(len, self.delays)) / (self.updates * len(self.delays))

    @property
    def complete(self) -> int:
        """How many ears got every update."""
        return sum(len(delays) == self.updates for delays in self.delays)


class Show:
    """A running server with an order and people who may watch it."""

    def __init__(self, folder: Path, *, application: str = OURS, layer: str = "pubsub") -> None:
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "CHANNEL_LAYER": layer}
        self.server = Server(self.environment, folder / "daphne.log")
        self.server.application = application

    def __enter__(self) -> "Show":
        self.server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.stop()

    def pass_on(
        self, how: str, orders: Sequence[int], sessions: Sequence[str], *, updates: int, a_second: float, bus: bool
    ) -> Passage:
        """Write ``updates`` to ``orders`` while ``sessions``, and with ``bus`` the broker, watch the first of them."""
        path = f"/ws/orders/{orders[0]}/"
        task = {
            "requests": [handshake(self.server, path, session=key).decode() for key in sessions],
            "port": self.server.port,
            "topic": f"order.{orders[0]}" if bus else "",
            "last": f"update {updates - 1}",
        }
        keys = ",".join(map(str, orders))
        writer = begin("benchmarks.writer", how, keys, str(updates), str(a_second), environment=self.environment)
        listener = begin("benchmarks.listener", environment=self.environment)
        try:
            ready(writer)
            ready(listener, json.dumps(task))
            committed = json.loads(ended(writer, "go"))
            heard = json.loads(ended(listener, "end"))
        finally:
            stop(writer)
            stop(listener)
        return _judged(committed, heard)


def _judged(committed: Sequence[int], heard: Sequence[Sequence[tuple[str, int]]]) -> Passage:
    """Return the passage; what came twice counts once, as it first came. What came before its commit took no time."""
    seconds = (committed[-1] - committed[0]) / 1e9
    delays: list[list[float]] = []
    for ear in heard:
        first: dict[int, float] = {}
        for words, at in ear:
            number = words.removeprefix("update ")
            if number.isdigit():
                first.setdefault(int(number), max(0.0, (at - committed[int(number)]) / 1e9))
        delays.append(list(first.values()))
    return Passage(len(committed), (len(committed) - 1) / seconds, delays)


def sessions(people: Sequence[object]) -> list[str]:
    return [session_of(person) for person in people]  # type: ignore[arg-type]
