"""What capture adds to a write, against the same write without it: ``python -m benchmarks.capture``."""

from argparse import Namespace
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from benchmarks.options import options
from benchmarks.report import Report, Row
from benchmarks.stage import stage

if TYPE_CHECKING:
    from orders.models import BaseOrder


def main() -> None:
    chosen = options("What capture adds to a write.", sqlite=True)
    disk = "flushed to the disk at each commit" if chosen.durable else "without fsync"
    where = "SQLite" if chosen.sqlite else f"PostgreSQL {disk}"
    name = "capture-sqlite" if chosen.sqlite else "capture"
    report = Report(name, f"{where}, {chosen.rounds} interleaved rounds, warm connections")
    report.begin()
    with stage(durable=chosen.durable, embedded=not chosen.sqlite):
        order = a_save(report, chosen)
        if not chosen.sqlite:
            many_writes(report, chosen, order)
    if chosen.save:
        report.save()


def a_save(report: Report, chosen: Namespace) -> "BaseOrder":
    """Measure one save in a transaction; return the order that was saved."""
    from benchmarks import modes
    from benchmarks.rounds import Spread, interleaved, ratio, typical
    from realtime import relay
    from tests.people import cast

    order = cast().order
    times = 10 if chosen.tiny else 150
    save = saving(order)
    names = ("bare", "orm") if chosen.sqlite else ("bare", "triggers", "orm", "usual")
    ways = {name: modes.NAMED[name] for name in names}

    def seconds() -> float:
        return typical(save, times, warm=times // 5, after=lambda: relay.rest(60))

    found = interleaved(ways, seconds, rounds=chosen.rounds)
    bare = found["bare"]
    report.add(Row("a bare save in atomic with an actor", "ms", Spread.of([value * 1000 for value in bare])))
    at_most = 2.5 if chosen.sqlite else 3
    report.add(Row("a save, by the ORM", "× bare", ratio(found["orm"], bare), at_most=at_most))
    if not chosen.sqlite:
        report.add(Row("a save, by triggers", "× bare", ratio(found["triggers"], bare), at_most=1.7, note=said(save)))
        report.add(Row("a save with the usual signal", "× bare", ratio(found["usual"], bare)))
        added = [
            (triggers - base) / (usual - base)
            for triggers, usual, base in zip(found["triggers"], found["usual"], bare, strict=True)
        ]
        report.add(Row("what triggers add", "of the signal's", Spread.of(added), at_most=0.2))
    return order


def many_writes(report: Report, chosen: Namespace, order: "BaseOrder") -> None:
    """Measure an ``update()`` of a thousand, and eight writers."""
    from benchmarks import modes
    from benchmarks.eight import eight_writers
    from benchmarks.people import orders_of
    from benchmarks.rounds import Spread, interleaved, ratio, typical
    from orders.models import BaseOrder

    numbers = count()
    many = 50 if chosen.tiny else 1000
    keys = orders_of(order, many)

    def update() -> None:
        BaseOrder.objects.filter(pk__in=keys).update(message=f"update {next(numbers)}")

    ways = {name: modes.NAMED[name] for name in ("bare", "triggers")}
    found = interleaved(ways, lambda: typical(update, 2 if chosen.tiny else 5, warm=2), rounds=chosen.rounds)
    cost = ratio(found["triggers"], found["bare"])
    report.add(Row(f"update() of {many} orders", "× bare", cost, at_most=8, note=said(update)))

    def rate() -> float:
        return eight_writers(keys[:8], 20 if chosen.tiny else 200, captured=modes.are_triggers_on())

    rates = interleaved(ways, rate, rounds=min(chosen.rounds, 5))
    report.add(Row("eight writers, bare", "commits/s", Spread.of(rates["bare"])))
    report.add(Row("eight writers, by triggers", "of bare", ratio(rates["triggers"], rates["bare"]), at_least=0.5))


def saving(order: "BaseOrder") -> Callable[[], None]:
    """Return a save as a view makes it: in a transaction, by somebody."""
    from django.db import transaction

    from realtime.actor import acting

    numbers = count()

    def save() -> None:
        with acting("user:1", source="http", request="r1"), transaction.atomic():
            order.message = f"update {next(numbers)}"
            order.save()

    return save


def said(work: Callable[[], object]) -> str:
    """Return how many statements the client sends for ``work``."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        work()
    own = [query for query in captured.captured_queries if query["sql"] not in ("BEGIN", "COMMIT")]
    return f"statements that the client sends, BEGIN and COMMIT apart: {len(own)}"


if __name__ == "__main__":
    main()
