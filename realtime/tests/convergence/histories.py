"""A seed's history: steps as data, the people who watch, and how both are played."""

import random
from collections.abc import Sequence
from typing import Any

from realtime.feeds import Viewer

from . import judge
from .judge import Broken, Judge, must
from .viewers import Ask, Watcher
from .world import Threads, World, world
from .writers import KEYS, KINDS, PEOPLE, STATUSES

Step = tuple[Any, ...]

WEIGHTS: dict[str, int] = {
    "write": 30, "begin": 6, "end": 10, "settle": 14, "carry": 16, "look": 4, "join": 10, "leave": 6, "away": 6,
    "join meanwhile": 5, "return": 9, "trim": 3, "put back": 3, "rotate": 1, "stand still": 2, "go on": 2, "forge": 2,
}  # fmt: skip
WATCHERS = 6


def history(seed: int, length: int) -> list[Step]:
    """Return the steps of ``seed``."""
    dice = random.Random(seed)
    names = dice.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length)
    made: list[Step] = [("write", 0, "create", number, 0, dice.randrange(PEOPLE)) for number in range(3)]
    joins: list[Step] = [("join", who) for who in range(WATCHERS) if dice.random() < 0.7]
    return made + joins + [_step(name, dice) for name in names]


HIS = -1
"""Stands for the number of the record that a watcher has asked for."""


def _step(name: str, dice: random.Random) -> Step:
    who, writer = dice.randrange(WATCHERS), dice.randrange(2)
    match name:
        case "write":
            return _write(dice, writer)
        case "begin":
            return name, writer, dice.random() < 0.5
        case "end":
            return name, writer, dice.random() < 0.35
        case "join meanwhile":
            return name, who, [_write(dice, writer), ("settle", 1), ("carry", "faithful")]
        case "away":
            trims = [("trim", 1)] if dice.random() < 0.5 else []
            writes = [_write(dice, writer, HIS) for _ in range(dice.randrange(1, 5))]
            return name, dice.choice([1, who]), [*writes, ("settle", 1), *trims]
        case "put back":
            return name, dice.randrange(len(KEYS)), dice.randrange(1, 3)
        case "forge":
            return name, dice.randrange(len(KEYS))
        case _ if name in CHOICES:
            return name, *([who] if name == "return" else []), dice.choice(CHOICES[name])
        case "join" | "leave" | "stand still" | "go on":
            return name, who
        case _:
            return (name,)


CHOICES: dict[str, list[Any]] = {
    "settle": [1, 1, 2],
    "trim": [1, 1, 2],
    "carry": ["faithful", "lossy", "lossy", "lossy", "mute", "again"],
    "return": ["have", "have", "have", "older", "older", "ahead", "other epoch"],
}


def _write(dice: random.Random, writer: int, number: int | None = None) -> Step:
    kind = dice.choice(KINDS if number is None else KINDS[:7])
    number = dice.randrange(len(KEYS)) if number is None else number
    return "write", writer, kind, number, dice.randrange(len(STATUSES)), dice.randrange(PEOPLE)


def audience(seed: int, people: Sequence[int]) -> list[Watcher]:
    """Return who watches in the history of ``seed``: all kinds of viewers, records and boards, both modes."""
    dice = random.Random(f"audience of {seed}")
    kinds = ["plain", "record", "all", "mine", "carried", "staff", "both"]
    chosen = ["plain", "all", *dice.choices(kinds, k=WATCHERS - 2)]
    return [_watcher(f"{number} {kind}", kind, people, dice) for number, kind in enumerate(chosen)]


def _watcher(name: str, kind: str, people: Sequence[int], dice: random.Random) -> Watcher:
    key = dice.choice(KEYS[:3])
    viewer = dice.choice([Viewer(dice.choice(people), "client"), Viewer(-1, "auditor")])
    record = f"delivery:{key}"
    match kind:
        case "plain":
            return Watcher(name, viewer, [], key)
        case "record" | "all":
            return Watcher(name, viewer, [Ask("a", record, "all" if kind == "all" else "latest")])
        case "mine" | "carried":
            return Watcher(name, Viewer(dice.choice(people), "client"), [Ask("b", f"deliveries:{kind}")])
        case "both":
            asks = [Ask("a", record), Ask("b", "deliveries:mine")]
            return Watcher(name, Viewer(dice.choice(people), "client"), asks)
        case _:
            among = {"status": dice.sample(STATUSES, 2)} if dice.random() < 0.5 else {}
            limit = dice.choice([1, 2, 200])
            return Watcher(name, Viewer(-1, "auditor"), [Ask("b", "deliveries:all", filter=among, limit=limit)])


class Player:
    """Plays the steps of a history in a world, and has them judged."""

    def __init__(self, here: World) -> None:
        self._world, self._judge = here, Judge(here)

    async def play(self, step: Step) -> None:
        await self._perform(step)
        await self._settle_down()
        self._judge.after_step()
        if step[0] in ("look", "put back"):
            self._judge.after_repair()

    async def finish(self) -> None:
        """Writers end, readers read, the bus carries: without repair, and then with it, everybody has everything."""
        here = self._world
        for writer in here.writers:
            await writer.end_all(fails=False)
        for watcher in here.watchers:
            watcher.sink.reads.set()
        for step in (("settle", 1), ("carry", "faithful"), ("look",), ("settle", 2), ("look",)):
            await self.play(step)
        self._judge.at_the_end(await here.position())
        old = [w for w in here.watchers if w.has_everything]
        for watcher in old:
            fresh = Watcher(f"again {watcher.name}", watcher.viewer, watcher.asks, watcher.record)
            here.watchers.append(fresh)
            await fresh.join(here.versions(), None)
            await self._settle_down()
            self._judge.after_step()
            judge.same(watcher, fresh)
            await here.threads.operator.do(lambda one=fresh: judge.rows_are_shown(one))  # type: ignore[misc]

    async def _settle_down(self) -> None:
        await self._world.quiet()
        await self._world.learn()
        for watcher in self._world.watchers:
            if watcher.is_here and watcher.sink.code in (4012, 4413):
                must(watcher.sink.code == 4012 or watcher.has_stood_still, "I12", watcher, "is said to be too slow")
                watcher.leave()  # to come back

    async def _perform(self, step: Step) -> None:
        here = self._world
        match step:
            case "write", writer, kind, number, status, person:
                await here.writers[writer].write(kind, number, status, person)
            case "begin", writer, at_once:
                await here.writers[writer].begin(at_once)
            case "end", writer, fails:
                await here.writers[writer].end(fails=fails)
            case "settle", relays:
                await here.settle(relays)
            case "carry", how:
                here.hand_over(how)
            case ("look",):
                await here.look()
            case "trim", keep:
                await here.trim(keep)
            case "put back", number, back:
                await here.put_back(KEYS[number], back)
            case ("rotate",):
                await here.rotate()
                await here.look()
            case "forge", number:
                here.bus.forge(f"delivery.{KEYS[number]}", here.epoch, sign=not here.hub.listings)
            case _:
                await self._watch(step)

    async def _watch(self, step: Step) -> None:
        here, watcher = self._world, self._world.watchers[step[1]]
        match step:
            case "leave", _:
                watcher.leave()
            case "stand still", _ if not watcher.is_whole:
                watcher.sink.reads.clear()
                watcher.has_stood_still = True
            case "go on", _:
                watcher.sink.reads.set()
            case "join", _ if not watcher.is_here:
                watcher.forget()
                await watcher.join(here.versions(), None)
            case "join meanwhile", _, steps:
                watcher.leave()
                watcher.forget()

                async def meanwhile() -> None:
                    for inner in steps:
                        await self._perform(inner)

                here.meanwhile = meanwhile
                await watcher.join(here.versions(), None)
                await here.quiet()
                here.meanwhile = None
            case "return", _, how:
                watcher.leave()
                await self._return(watcher, how)
            case "away", _, steps:
                watcher.leave()
                his = KEYS.index(watcher.key) if watcher.key else 0
                for inner in steps:
                    await self._perform(tuple(his if word == HIS else word for word in inner))
                await here.learn()
                await self._return(watcher, "have")

    async def _return(self, watcher: Watcher, how: str) -> None:
        """Come back with ``have``, as a good client, or with other cursors than its own."""
        mirror = watcher.mirror
        heads = self._world.versions()
        for key, frame in mirror.records.items():
            # Ahead of the database, and not of what is held: that would claim another state's version.
            began = max(frame["version"], heads.get(f"delivery.{key}", 0)) if how == "ahead" else frame["version"]
            by = {"older": -2, "ahead": 3}.get(how, 0)
            mirror.records[key] = {**frame, "version": max(0, began + by)}
        if how == "other epoch":
            mirror.epoch = "other"
        await watcher.join(self._world.versions(), mirror.have() if mirror.records else None)


async def play(seed: int, length: int, threads: Threads, steps: Sequence[Step] | None = None) -> None:
    """Play the history of ``seed``; raise ``Broken``, with the seed and the steps, where an invariant does not hold."""
    steps = history(seed, length) if steps is None else steps
    played: list[Step] = []
    async with world(threads, seed) as here:
        here.watchers = audience(seed, threads.people)
        player = Player(here)
        try:
            for step in steps:
                played.append(step)
                await player.play(step)
            await player.finish()
        except (AssertionError, TimeoutError) as error:
            said = "\n".join(f"  {step!r}," for step in played)
            raise Broken(f"seed {seed}, length {length}, after {len(played)} steps: {error!r}\n{said}") from error
