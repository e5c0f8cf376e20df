"""Fifty honest watchers, alone and beside two hundred attackers of each kind: ``python -m benchmarks.attack``."""

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.options import options
from benchmarks.processes import begin, ended, ready
from benchmarks.report import Report, Row
from benchmarks.stage import stage
from gameBoosterss.development.children import stop

if TYPE_CHECKING:
    from benchmarks.passage import Show

A_SECOND = 20
TWICE = 2.0


def main() -> None:
    chosen = options("What fifty watchers of ten orders notice of two hundred attackers, kind by kind.", attackers=True)
    seconds = 2 if chosen.tiny else 30
    server = "Daphne behind nginx" if chosen.nginx else "Daphne"
    who = "20 managers who watch one of the ten orders" if chosen.insiders else "20 clients who watch their own orders"
    length = f"{chosen.rounds} rounds of {seconds} s for each kind, {A_SECOND} saves a second"
    conditions = f"{server}, PostgreSQL, attackers: {who}, {length}"
    name = "attack" + "-by-insiders" * chosen.insiders + "-behind-nginx" * chosen.nginx
    report = Report(name, conditions)
    report.begin()
    with stage(durable=chosen.durable, limits=True) as folder:
        measure(report, chosen, folder, seconds)
    if chosen.save:
        report.save()


def measure(report: Report, chosen: Namespace, folder: Path, seconds: int) -> None:
    """Compare the watchers' p99 beside each kind with that of the round before, which was without."""
    from accounts.models import Role
    from benchmarks.passage import Passage, Show, sessions
    from benchmarks.people import orders_of
    from benchmarks.rounds import Spread, ratio
    from realtime import relay
    from tests.attackers import KINDS
    from tests.people import cast, order_of, person

    people = cast()
    orders = orders_of(people.order, 10)
    assert relay.rest(60)
    crowds = [
        sessions([people.client, people.booster, people.manager, people.admin, people.other_booster]),
        sessions(
            [person(Role.MANAGER), person(Role.BOOSTER), person(Role.MANAGER), person(Role.BOOSTER), people.admin]
        ),
    ]
    watched = [(order, session) for at, order in enumerate(orders) for session in crowds[at % 2]]
    rack = [person(Role.MANAGER if chosen.insiders else Role.CLIENT) for _ in range(20)]  # lets all of them in
    targets = [orders[0] if chosen.insiders else order_of(villain).pk for villain in rack]
    villains = list(zip(sessions(rack), targets, strict=True))
    kinds = chosen.kind or (KINDS[:2] if chosen.tiny else KINDS)
    with Show(folder, nginx=chosen.nginx) as show:

        def watch() -> Passage:
            return show.pass_round(
                "triggers", orders, watched, each=A_SECOND * seconds // len(orders), a_second=A_SECOND
            )

        watch()  # the first warms up
        for kind in kinds:
            alone, beside, memory = list[Passage](), list[Passage](), list[float]()
            for _ in range(chosen.rounds):
                alone.append(watch())
                before = resident(show.server.pid)
                with attackers(show, kind, villains, 20 if chosen.tiny else 200):
                    beside.append(watch())
                    memory.append(resident(show.server.pid) - before)
            p99 = [[passage.delay(-1, 0.99) for passage in passages] for passages in (alone, beside)]
            report.add(Row(f"alone: p99, before {kind}", "ms", Spread.of(p99[0])))
            report.add(Row(f"beside {kind}: p99", "ms", Spread.of(p99[1])))
            report.add(Row(f"beside {kind}: p99, of that alone", "×", ratio(p99[1], p99[0]), at_most=TWICE))
            complete = Spread.of([passage.complete / len(watched) for passage in beside])
            report.add(Row(f"beside {kind}: watchers who got everything", "of all", complete, at_least=1))
            again = Spread.of([passage.again for passage in beside])
            report.add(Row(f"beside {kind}: watchers' handshakes that were turned away", "times", again, at_most=0))
            report.add(Row(f"beside {kind}: memory above that before", "MiB", Spread.of(memory)))


@contextmanager
def attackers(show: "Show", kind: str, villains: Sequence[tuple[str, int]], many: int) -> Iterator[None]:
    """Have ``many`` attackers at the server, in a process of their own; each of ``villains`` is session and order."""
    from tests.attackers import handshakes

    requests = [each.decode() for session, order in villains for each in handshakes(show.door, [session], order)]
    child = begin("benchmarks.ill_will", environment=show.environment)
    try:
        ready(child, json.dumps({"port": show.door.port, "kind": kind, "requests": requests, "many": many}))
        yield
        ended(child, "end")
    finally:
        stop(child)


def resident(pid: int) -> float:
    """Return the memory of a process, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


if __name__ == "__main__":
    main()
