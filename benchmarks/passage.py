"""One passage of updates from a writing process over a server to watching processes, each measured."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import begin, ended, ready
from benchmarks.rounds import percentile
from gameBoosterss.development.children import stop
from tests.nginx import Nginx
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
    whole: list[list[float]]
    """The same, in seconds after the writer began: with what a way of capture or sending costs him."""
    again: int = 0
    """How often a socket of an ear was turned away before it was let in."""

    def share(self, ear: int) -> float:
        """Return how much of what was written came to this ear."""
        return len(self.delays[ear]) / self.updates

    def delay(self, ear: int, share: float, *, whole: bool = False) -> float:
        """Return the milliseconds within which ``share`` of what came to this ear came; of all ears with -1.

        ``whole``: from the beginning of the save instead of the end of its commit.
        """
        delays = self.whole if whole else self.delays
        found = [delay for ear_delays in delays for delay in ear_delays] if ear < 0 else delays[ear]
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
    """A running server with an order and people who may watch it; ``door`` is where they come in."""

    def __init__(self, folder: Path, *, application: str = OURS, layer: str = "pubsub", nginx: bool = False) -> None:
        proxies = "127.0.0.1" if nginx else ""  # otherwise all share the limits of nginx's address
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CHANNEL_LAYER": layer,
            "TRUSTED_PROXIES": proxies,
        }
        self.server = Server(self.environment, folder / "daphne.log")
        self.server.application = application
        self.door = Nginx(self.server, folder, tls=False) if nginx else self.server

    def __enter__(self) -> "Show":
        self.server.start()
        if self.door is not self.server:
            self.door.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.door.stop()
        self.server.stop()

    def pass_on(
        self, how: str, orders: Sequence[int], sessions: Sequence[str], *, updates: int, a_second: float, bus: bool
    ) -> Passage:
        """Write ``updates`` to ``orders`` while ``sessions``, and with ``bus`` the broker, watch the first of them."""
        watched = [(orders[0], session) for session in sessions]
        lasts = [updates - 1] * (len(watched) + bus)
        written = (how, ",".join(map(str, orders)), str(updates), str(a_second))
        return _judged(*self._pass_on(written, watched, lasts, topic=f"order.{orders[0]}" if bus else ""), updates)

    def pass_round(
        self, how: str, orders: Sequence[int], watched: Sequence[tuple[int, str]], *, each: int, a_second: float
    ) -> Passage:
        """Save each of ``orders`` ``each`` times, in turns, while sessions watch: ``watched`` are order and session."""
        updates = each * len(orders)
        lasts = [updates - len(orders) + orders.index(order) for order, _ in watched]
        written = (how, ",".join(map(str, orders)), str(updates), str(a_second), "turns")
        return _judged(*self._pass_on(written, watched, lasts), each)

    def _pass_on(
        self, written: Sequence[str], watched: Sequence[tuple[int, str]], lasts: Sequence[int], *, topic: str = ""
    ) -> tuple[dict[str, list[int]], dict[str, Any]]:
        """Return when each update began and was committed, and what the listener says; ``lasts``: each ear's last."""
        requests = [handshake(self.door, f"/ws/orders/{order}/", session=key).decode() for order, key in watched]
        task = {
            "requests": requests,
            "port": self.door.port,
            "topic": topic,
            "lasts": [f"update {number}" for number in lasts],
        }
        writer = begin("benchmarks.writer", *written, environment=self.environment)
        listener = begin("benchmarks.listener", environment=self.environment)
        try:
            ready(writer)
            ready(listener, json.dumps(task))
            times = json.loads(ended(writer, "go"))
            heard = json.loads(ended(listener, "end"))
        finally:
            stop(writer)
            stop(listener)
        return times, heard


def _judged(times: Mapping[str, Sequence[int]], listened: Mapping[str, Any], due: int) -> Passage:
    """Return the passage; what came twice counts once, as it first came. What came before its commit took no time."""
    begun, committed = times["begun"], times["committed"]
    seconds = (committed[-1] - committed[0]) / 1e9
    delays: list[list[float]] = []
    whole: list[list[float]] = []
    for ear in listened["heard"]:
        first: dict[int, int] = {}
        for words, at in ear:
            number = words.removeprefix("update ")
            if number.isdigit():
                first.setdefault(int(number), at)
        delays.append([max(0.0, (at - committed[number]) / 1e9) for number, at in first.items()])
        whole.append([(at - begun[number]) / 1e9 for number, at in first.items()])
    return Passage(due, (len(committed) - 1) / seconds, delays, whole, listened["again"])


def sessions(people: Sequence[object]) -> list[str]:
    return [session_of(person) for person in people]  # type: ignore[arg-type]
