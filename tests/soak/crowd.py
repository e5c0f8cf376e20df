"""The crowd of the soak: ``python -m tests.soak.crowd``, told by lines of JSON what to do; each is answered by one.

The first line has ``people``, ``ports``, ``seed`` and ``sockets``. Then: ``healed`` waits until every
viewer has at least what the database has now; ``converged``, when nobody writes any more, until each sees exactly the
masked rows; ``end`` judges what is left and reports.
"""

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from functools import partial
from itertools import cycle
from typing import Any

from tests.soak.cast import Person

SHARES = {"Plain": 8, "Topics": 6, "EveryVersion": 6, "Boards": 6, "OrderStream": 2, "BoardStream": 2}
"""Of thirty viewers, how many watch in each way."""


LATE = 8.0
"""Seconds after which it is written down who has not healed yet."""


class Crowd:
    """Every viewer, and the judge behind them."""

    def __init__(self, given: dict[str, Any]) -> None:
        from concurrent.futures import ThreadPoolExecutor

        from tests.soak import sockets, streams
        from tests.soak.world import World

        self.world = World(given["seed"], given["ports"])
        self.people = [Person(**person) for person in given["people"]]
        self.thread = ThreadPoolExecutor(1)
        self.judge_sits = asyncio.Lock()
        ways = {**vars(sockets), **vars(streams)}
        self.viewers = [
            ways[way](self.world, person, number) for number, (way, person) in enumerate(self._cast(given["sockets"]))
        ]

    def _cast(self, sockets: int) -> list[tuple[str, Person]]:
        """Return who watches how. Of twelve viewers five are clients, four boosters, two managers and one an admin."""
        roles = cycle(["client", "booster", "client", "manager", "booster", "client", "booster", "client", "admin"])
        of_role = {role: cycle([p for p in self.people if p.role == role]) for role in {p.role for p in self.people}}
        ways = cycle([way for way, share in SHARES.items() for _ in range(share)])
        return [(next(ways), next(of_role[next(roles)])) for _ in range(sockets)]

    async def read(self, work: Any) -> Any:
        """Return what the database says; as often as it takes while it is down."""
        from tests.soak import truth

        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self.thread, truth.patiently, work)
            except truth.AWAY:
                await asyncio.sleep(0.2)

    async def run(self) -> None:
        """Watch; read commands until ``end``."""
        from tests.soak import truth

        self.world.directory = await self.read(truth.directory)
        gc.freeze()
        self.watching = [asyncio.create_task(viewer.live()) for viewer in self.viewers]
        alive = [*self.watching, asyncio.create_task(self.judging()), asyncio.create_task(self.looking_after())]
        while True:
            line = await asyncio.to_thread(sys.stdin.readline)
            command = json.loads(line)
            answer = await getattr(self, command.pop("do"))(**command)
            print(json.dumps(answer), flush=True)
            if "faults" in answer:
                break
            for task in alive:
                if task.done():
                    task.result()

    async def judging(self) -> None:
        """Judge what came, every few seconds, so that nothing piles up."""
        from tests.soak import truth

        while True:
            await asyncio.sleep(2)
            await self.judge()
            self.world.directory = await self.read(truth.directory)

    async def judge(self) -> None:
        from tests.soak import truth

        async with self.judge_sits:
            taken = self.world.ledger.take()
            found = await self.read(partial(truth.events, *taken.wanted()))
            self.world.ledger.judge(taken, found, truth.NAMES)

    async def looking_after(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + 1
            await asyncio.sleep(1)
            if loop.time() - due > 5:
                continue  # we ourselves stood still, and heard nobody
            for viewer in self.viewers:
                viewer.look_after(loop.time())

    async def healed(self, *, within: float) -> dict[str, Any]:
        """Wait until each viewer was complete and had at least what the database has now; return how long it took."""
        from tests.soak import truth

        began = time.monotonic()
        heads = await self.read(truth.heads)
        self.world.heads.append(heads)
        waiting, late = list(self.viewers), list[str]()
        while True:
            waiting = [viewer for viewer in waiting if not viewer.has(heads)]
            seconds = time.monotonic() - began
            if seconds > LATE and not late:
                late = [self._why(viewer, heads) for viewer in waiting[:10]]
            if not waiting or seconds > within:
                examples = self.world.ledger.examples
                return {"seconds": seconds, "healed": not waiting, "late": late, "examples": examples}
            await asyncio.sleep(0.03)

    def _why(self, viewer: Any, heads: Any) -> str:
        line = viewer.line
        behind = {
            key: (frame["version"], heads.versions.get(key))
            for key, frame in viewer.shown().items()
            if frame["version"] < heads.versions.get(key, 0)
        }
        state = "no line" if line is None else f"open {line.is_open}, complete {viewer.is_complete()}"
        opening = sorted(getattr(viewer, "_open", ()))
        return f"{viewer}: {state}, behind {behind}, not opened {opening}, said {[*viewer.said]}"

    async def converged(self, *, within: float) -> dict[str, Any]:
        """Nobody writes: wait until each viewer sees exactly what the masked rows are; return how long it took."""
        began = time.monotonic()
        while True:
            wrong = await self._wrong()
            seconds = time.monotonic() - began
            if not wrong or seconds > within:
                return {"seconds": seconds, "wrong": wrong[:10]}
            await asyncio.sleep(0.2)

    async def _wrong(self) -> list[str]:
        from tests.soak import truth
        from tests.soak.sockets import Boards
        from tests.soak.streams import BoardStream

        keys = {int(key) for viewer in self.viewers for key in viewer.shown()}
        rows = await self.read(partial(truth.rows_seen, self.people, keys))
        wrong = [words for viewer in self.viewers if (words := viewer.wrong(rows))]
        for viewer in self.viewers:
            if isinstance(viewer, Boards | BoardStream):
                has = viewer.lists()
                for chosen, said in viewer.topics().items():
                    name, limit = said["topic"].partition(":")[2], said.get("limit", 200)
                    lists = partial(truth.board, name, viewer.person, said.get("filter", {}), limit)
                    expected = await self.read(lists)
                    if sorted(has.get(chosen, [])) != sorted(expected):
                        wrong.append(f"{viewer}: {chosen} has {has.get(chosen)}, the database lists {expected}")
        return wrong

    async def counted(self) -> dict[str, Any]:
        """Return what was counted so far."""
        world = self.world
        return {
            "frames": world.ledger.frames,
            "judged": world.ledger.judged,
            "handshakes": world.handshakes,
            "with prev": world.with_prev,
            "overlapping": world.overlapping,
            "silent lines given up": world.silent,
            "close codes": dict(world.codes),
            "errors said": dict(world.errors),
            "subscribed": dict(world.resumed),
            "ways": Counter(viewer.way for viewer in self.viewers),
            "open": sum(viewer.line is not None and viewer.line.is_open for viewer in self.viewers),
        }

    async def end(self) -> dict[str, Any]:
        """Have everybody leave; judge the rest, and the log; report."""
        from tests.soak import truth

        still_open = (await self.counted())["open"]
        for task in self.watching:
            task.cancel()
        await asyncio.wait(self.watching)
        await self.judge()
        log = await self.read(truth.wrong_in_the_log)
        ledger = self.world.ledger
        faults = {**ledger.faults, **({"log": len(log)} if log else {})}
        return {**await self.counted(), "open": still_open, "faults": faults, "examples": ledger.examples + log[:10]}


async def play() -> None:
    given = json.loads(sys.stdin.readline())
    await Crowd(given).run()


def main() -> None:
    import django

    django.setup()
    asyncio.run(play())
    sys.stdout.flush()


if __name__ == "__main__":
    main()
