"""From a commit to a subscriber and to a socket: ``python -m benchmarks.delivery``."""

from argparse import Namespace
from pathlib import Path

from benchmarks.options import options
from benchmarks.report import Report, Row
from benchmarks.stage import stage


def main() -> None:
    chosen = options("From a commit in one process to a subscriber in another and to a socket of Daphne.")
    disk = "flushed to the disk at each commit" if chosen.durable else "without fsync"
    report = Report("delivery", f"PostgreSQL {disk}, capture by triggers, layer pubsub, {chosen.rounds} rounds")
    report.begin()
    with stage(durable=chosen.durable) as folder:
        measure(report, chosen, folder)
    if chosen.save:
        report.save()


def measure(report: Report, chosen: Namespace, folder: Path) -> None:
    """Measure at 100 saves a second, and at a hundred ``update()`` a second of ten orders each."""
    from benchmarks.passage import Passage, Show, sessions
    from benchmarks.people import orders_of
    from benchmarks.rounds import Spread
    from realtime import relay
    from tests.people import cast

    people = cast()
    orders = [people.order.pk, *orders_of(people.order, 9)]
    assert relay.rest(60)
    updates = 20 if chosen.tiny else 500
    paces: dict[str, tuple[list[int], list[Passage]]] = {"100/s": (orders[:1], []), "1 000/s": (orders, [])}
    with Show(folder) as show:
        for _ in range(chosen.rounds):
            for written, passages in paces.values():
                passages.append(
                    show.pass_on(
                        "triggers", written, sessions([people.client]), updates=updates, a_second=100, bus=True
                    )
                )
    for pace, (written, passages) in paces.items():
        events = [passage.a_second * len(written) for passage in passages]
        least = 990 if len(written) > 1 else None
        report.add(Row(f"{pace}: written", "events/s", Spread.of(events), at_least=least))
        for ear, name in ((1, "the broker"), (0, "a socket of Daphne")):
            bounds = (3.0, 20.0) if len(written) == 1 else (None, None)
            shares = [passage.share(ear) for passage in passages]
            report.add(Row(f"{pace}: came by {name}", "of all", Spread.of(shares), at_least=1))
            for share, bound in zip((0.5, 0.99), bounds, strict=True):
                found = Spread.of([passage.delay(ear, share) for passage in passages])
                report.add(Row(f"{pace}: commit to {name}, p{share * 100:.0f}", "ms", found, at_most=bound))


if __name__ == "__main__":
    main()
