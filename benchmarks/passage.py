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
    """How many were due to each ear."""
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
        watched = [(orders[0], session) for session in sessions]
        lasts = [updates - 1] * (len(watched) + bus)
        written = (how, ",".join(map(str, orders)), str(updates), str(a_second))
        committed, heard = self._pass_on(written, watched, lasts, topic=f"order.{orders[0]}" if bus else "")
        return _judged(committed, heard, len(committed))

    def pass_round(
        self, how: str, orders: Sequence[int], watched: Sequence[tuple[int, str]], *, each: int, a_second: float
    ) -> Passage:
        """Save each of ``orders`` ``each`` times, in turns, while sessions watch: ``watched`` are order and session."""
        updates = each * len(orders)
        lasts = [updates - len(orders) + orders.index(order) for order, _ in watched]
        written = (how, ",".join(map(str, orders)), str(updates), str(a_second), "turns")
        committed, heard = self._pass_on(written, watched, lasts)
        return _judged(committed, heard, each)

    def _pass_on(
        self, written: Sequence[str], watched: Sequence[tuple[int, str]], lasts: Sequence[int], *, topic: str = ""
    ) -> tuple[list[int], list[list[tuple[str, int]]]]:
        """Return when each update was committed, and what each ear heard when; ``lasts``: the last due to each."""
        requests = [handshake(self.server, f"/ws/orders/{order}/", session=key).decode() for order, key in watched]
        task = {
            "requests": requests,
            "port": self.server.port,
            "topic": topic,
            "lasts": [f"update {number}" for number in lasts],
        }
        writer = begin("benchmarks.writer", *written, environment=self.environment)
        listener = begin("benchmarks.listener", environment=self.environment)
        try:
            ready(writer)
            ready(listener, json.dumps(task))
            committed = json.loads(ended(writer, "go"))
            heard = json.loads(ended(listener, "end"))
        finally:
            stop(writer)
            stop(listener)
        return committed, heard


def _judged(committed: Sequence[int], heard: Sequence[Sequence[tuple[str, int]]], due: int) -> Passage:
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
    return Passage(due, (len(committed) - 1) / seconds, delays)


def sessions(people: Sequence[object]) -> list[str]:
    return [session_of(person) for person in people]  # type: ignore[arg-type]
