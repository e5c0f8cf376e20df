"""A process that watches an order: ``python -m benchmarks.listener``, told by JSON on its standard input.

Reads what to watch, says ``ready``, and goes on until a second line comes and the last update has come everywhere, or
nothing has for a while. Prints, as JSON, when each update came to each ear, the sockets, then the bus; and how often a
socket was turned away before it was let in.
"""

import asyncio
import json
import sys

from benchmarks.stage import set_up


def main() -> None:
    set_up()
    from benchmarks.ears import watch

    task = json.loads(sys.stdin.readline())
    print(json.dumps(asyncio.run(watch(task))))


if __name__ == "__main__":
    main()
