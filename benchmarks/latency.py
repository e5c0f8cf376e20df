"""From a commit to two hundred sockets, here and on the usual stack, in turns: ``python -m benchmarks.latency``."""

import math
from argparse import Namespace
from pathlib import Path

from benchmarks.options import options
from benchmarks.report import Report, Row
from benchmarks.stage import stage

HERE, USUAL = "here", "usual stack"
STACKS = {
    HERE: ("gameBoosterss.asgi:application", "triggers", "pubsub"),
    USUAL: ("benchmarks.usual:application", "usual", "core"),
}
"""What serves, how the writer saves, and the channel layer of both."""

A_SECOND = 100
A_TWENTIETH = 0.05


def main() -> None:
    chosen = options("From a commit to 200 sockets over 50 orders, at 100 saves a second.")
    disk = "flushed to the disk at each commit" if chosen.durable else "without fsync"
    report = Report("latency", f"Daphne, PostgreSQL {disk}, {chosen.rounds} interleaved rounds of twenty seconds")
    report.begin()
    with stage(durable=chosen.durable) as folder:
        measure(report, chosen, folder)
    if chosen.save:
        report.save()


def measure(report: Report, chosen: Namespace, folder: Path) -> None:
    """Measure what arrives, and when, at four sockets of each order: its client, a prospect, a manager, an admin."""
    from benchmarks.passage import Passage, Show, sessions
    from benchmarks.people import orders_of
    from benchmarks.rounds import Spread, ratio
    from realtime import relay
    from tests.people import cast

    many, each = (5, 4) if chosen.tiny else (50, 40)
    people = cast()
    orders = orders_of(people.order, many)
    assert relay.rest(60)
    crowd = sessions([people.client, people.booster, people.manager, people.admin])
    watched = [(order, session) for order in orders for session in crowd]
    found: dict[str, list[Passage]] = {name: [] for name in STACKS}
    for number in range(chosen.rounds):
        names = list(STACKS) if number % 2 == 0 else list(reversed(STACKS))
        for name in names:
            application, how, layer = STACKS[name]
            with Show(folder, application=application, layer=layer) as show:
                found[name].append(show.pass_round(how, orders, watched, each=each, a_second=A_SECOND))
    for name, passages in found.items():
        report.add(Row(f"{name}: written", "updates/s", Spread.of([passage.a_second for passage in passages])))
        arrived = Spread.of([passage.arrived for passage in passages])
        report.add(Row(f"{name}: arrived", "of all", arrived, at_least=1 if name == HERE else None))
        lost = [len(watched) * passage.updates - sum(map(len, passage.delays)) for passage in passages]
        report.add(Row(f"{name}: lost", "frames", Spread.of([float(each) for each in lost])))
        for share in (0.5, 0.99):
            delay = Spread.of([passage.delay(-1, share) for passage in passages])
            at_most = 15.0 if (name, share) == (HERE, 0.99) else None
            report.add(Row(f"{name}: commit to socket, p{share * 100:.0f}", "ms", delay, at_most=at_most))
            whole = Spread.of([passage.delay(-1, share, whole=True) for passage in passages])
            report.add(Row(f"{name}: begin of the save to socket, p{share * 100:.0f}", "ms", whole))
    for from_begin, since in ((False, "from the commit"), (True, "from the begin of the save")):
        for share in (0.5, 0.99):
            ours, theirs = ([each.delay(-1, share, whole=from_begin) for each in found[name]] for name in (HERE, USUAL))
            # A frame that came before its commit took no time: nothing is a twentieth of that.
            compared = ratio(ours, [each or math.nan for each in theirs])
            what = f"p{share * 100:.0f} here, {since}, of the usual stack's"
            report.add(Row(what, "×", compared, at_most=None if from_begin else A_TWENTIETH))


if __name__ == "__main__":
    main()
