"""A hundred people watch one order, here and on the usual stack, in turns: ``python -m benchmarks.watchers``."""

from argparse import Namespace
from pathlib import Path

from benchmarks.options import options
from benchmarks.report import Report, Row
from benchmarks.stage import stage

STACKS = {
    "here": ("gameBoosterss.asgi:application", "triggers", "pubsub"),
    "usual stack, core layer": ("benchmarks.usual:application", "usual", "core"),
    "usual stack, pub/sub layer": ("benchmarks.usual:application", "usual", "pubsub"),
}
"""What serves, how the writer saves, and the channel layer of both."""


def main() -> None:
    chosen = options("A hundred watchers of one order that changes a hundred times a second.")
    disk = "flushed to the disk at each commit" if chosen.durable else "without fsync"
    report = Report("watchers", f"Daphne, PostgreSQL {disk}, {chosen.rounds} interleaved rounds of ten seconds")
    report.begin()
    with stage(durable=chosen.durable) as folder:
        measure(report, chosen, folder)
    if chosen.save:
        report.save()


def measure(report: Report, chosen: Namespace, folder: Path) -> None:
    """Measure what arrives, and when, at each of a hundred sockets."""
    from accounts.models import Role
    from benchmarks.passage import Passage, Show, sessions
    from benchmarks.rounds import Spread
    from realtime import relay
    from tests.people import cast, person

    watchers, updates = (5, 20) if chosen.tiny else (100, 1000)
    people = cast()
    assert relay.rest(60)
    crowd = sessions([people.client, *(person(Role.MANAGER) for _ in range(watchers - 1))])
    found: dict[str, list[Passage]] = {name: [] for name in STACKS}
    for _ in range(chosen.rounds):
        for name, (application, how, layer) in STACKS.items():
            with Show(folder, application=application, layer=layer) as show:
                found[name].append(
                    show.pass_on(how, [people.order.pk], crowd, updates=updates, a_second=100, bus=False)
                )
    for name, passages in found.items():
        least = {"rate": 99.0, "complete": float(watchers)} if name == "here" else {}
        rates = Spread.of([passage.a_second for passage in passages])
        report.add(Row(f"{name}: written", "updates/s", rates, at_least=least.get("rate")))
        complete = Spread.of([float(passage.complete) for passage in passages])
        report.add(Row(f"{name}: sockets that got each", f"of {watchers}", complete, at_least=least.get("complete")))
        report.add(Row(f"{name}: arrived", "of all", Spread.of([passage.arrived for passage in passages])))
        for share in (0.5, 0.99):
            delay = Spread.of([passage.delay(-1, share) for passage in passages])
            report.add(Row(f"{name}: commit to socket, p{share * 100:.0f}", "ms", delay))


if __name__ == "__main__":
    main()
