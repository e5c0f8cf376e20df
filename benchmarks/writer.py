"""A process that changes orders at a steady pace: ``python -m benchmarks.writer <how> <orders> <updates> <a second>``.

With ``turns`` behind that, the orders are saved one after the other instead of all at once. Says ``ready``
and waits for a line; then prints, as JSON, when each save began and when it was committed, on the clock that all
processes of a machine share.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle

from benchmarks.stage import set_up


def write(
    orders: Sequence[int], updates: int, a_second: float, what: str = "update", *, turns: bool = False
) -> dict[str, list[int]]:
    """Return when each change began and was committed; as fast as it goes when that is slower than asked for.

    One order is saved as a service does; several are changed by one ``update()``, or with ``turns`` saved in turn.
    """
    from django.db import transaction

    from orders.models import BaseOrder
    from realtime.actor import acting

    begun: list[int] = []
    committed: list[int] = []

    def now() -> None:
        committed.append(time.monotonic_ns())

    in_turn = cycle(orders)

    def save(words: str) -> None:
        order = BaseOrder.objects.select_for_update(no_key=True).get(pk=next(in_turn))
        order.message = words
        order.save()

    def update(words: str) -> None:
        BaseOrder.objects.filter(pk__in=orders).update(message=words)

    change: Callable[[str], None] = save if turns or len(orders) == 1 else update
    began = time.monotonic()
    for number in range(updates):
        time.sleep(max(0.0, began + number / a_second - time.monotonic()))
        begun.append(time.monotonic_ns())
        with acting("command:benchmark", source="command"), transaction.atomic():
            transaction.on_commit(now)
            change(f"{what} {number}")
    return {"begun": begun, "committed": committed}


def main() -> None:
    set_up()
    from benchmarks import modes

    how, orders, updates, a_second, *more = sys.argv[1:]
    with modes.NAMED[how]():
        keys = [int(key) for key in orders.split(",")]
        write(keys, 20, 100, "practice", turns="turns" in more)  # plans, connections: this does not count
        print("ready", flush=True)
        sys.stdin.readline()
        written = write(keys, int(updates), float(a_second), turns="turns" in more)
    print(json.dumps(written))


if __name__ == "__main__":
    main()
