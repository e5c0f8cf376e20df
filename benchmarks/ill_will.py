"""A process of attackers: ``python -m benchmarks.ill_will``, told by JSON on its standard input.

Reads whom to attack and how, says ``ready`` when it has begun, and goes on until a second line comes. Prints, as JSON,
how often one of them was put out. It runs when no other process wants the processor (``SCHED_IDLE``, where there is
such a thing): measured is the server, and attackers bring processors of their own.
"""

import asyncio
import json
import os
import sys
from typing import Any

from benchmarks.stage import set_up

AGAIN = 2.0
"""Seconds until who was put out comes again."""


async def attack(task: dict[str, Any]) -> int:
    from tests.attackers import crowd

    opened = [request.encode() for request in task["requests"]]
    attackers = crowd(task["port"], task["kind"], opened, task["many"])
    running = [asyncio.create_task(each.go_on(AGAIN)) for each in attackers]
    await asyncio.sleep(1)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return sum(each.times for each in attackers)


def main() -> None:
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.nice(19)
    set_up()
    print(json.dumps(asyncio.run(attack(json.loads(sys.stdin.readline())))))


if __name__ == "__main__":
    main()
