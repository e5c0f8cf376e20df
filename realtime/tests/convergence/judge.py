"""What must hold after each step, after each round of repair, and in the end. Knows the log, not the hub."""

from typing import Any

from realtime.models import Stream
from realtime.testing.history import difference, row_as_seen
from realtime.tests.deliveries.feeds import DeliveryFeed

from .viewers import Ask, Frame, Watcher
from .world import CATCH_UP_LIMIT, World
from .writers import KEYS


class Broken(AssertionError):
    """An invariant does not hold; says which."""


def must(holds: bool, invariant: str, *said: object) -> None:
    if not holds:
        raise Broken(f"{invariant}: {' '.join(map(str, said))}")


def topic_of(key: object) -> str:
    return f"delivery.{key}"


class Judge:
    def __init__(self, world: World) -> None:
        self._world = world
        self._recovering: dict[Watcher, bool] = {}

    def after_step(self) -> None:
        """The log is what the writers made of it; every frame is right; what the bus brought, its viewers have."""
        self._judge_log()
        self._judge_trim()
        for watcher in self._world.watchers:
            self._judge_frames(watcher)
            if watcher.is_here and watcher.sink.code is None and watcher.sink.reads.is_set():
                self._judge_promptness(watcher)

    def after_repair(self) -> None:
        """Every viewer has what is committed (I5), or has lost the right to it (I11)."""
        for watcher in self._world.watchers:
            if watcher.is_here and watcher.sink.reads.is_set():
                self._judge_state(watcher)

    def at_the_end(self, position: int) -> None:
        """All is settled, without a hole (I15)."""
        world = self._world
        must(world.positions == set(range(1, position + 1)), "I15", sorted(world.positions), "of", position)
        waiting = [f"{t} v{v}" for t, v in world.there if world.known[world.epoch, t, v].pos is None]
        must(not waiting, "I15", waiting, "have no position")

    def _judge_trim(self) -> None:
        """What is gone was settled and is not the newest (I16)."""
        world = self._world
        for topic, version in world.trimmed:
            event = world.known[world.epoch, topic, version]
            must(event.pos is not None, "I16", f"{topic} v{version} was trimmed, and nobody had settled it")
            must(version < world.heads[topic].version, "I16", f"{topic} v{version} was the newest, and was trimmed")
        world.trimmed.clear()

    def _judge_log(self) -> None:
        table, world = self._world.table, self._world
        for key in KEYS:
            head = world.heads.get(topic_of(key))
            must((head.version if head else 0) == table.versions[key], "I2, I3", key, head, table.versions[key])
            price = head.state["price"] if head and head.state else None
            must(price == table.rows[key], "I1", f"{key} costs {price}, committed was {table.rows[key]}")
        for (epoch, topic, version), event in world.known.items():
            seen = event.state and event.state["price"]
            must(seen not in table.undone, "I1", f"{topic} v{version} of {epoch[:4]} was rolled back")

    def _judge_frames(self, watcher: Watcher) -> None:
        frames = watcher.sink.frames[watcher.judged :]
        watcher.judged = len(watcher.sink.frames)
        for frame in frames:
            if frame["type"] == "delivery.update":
                self._judge_update(watcher, frame)
            elif frame["type"] == "subscribed":
                self._recovering[watcher] = frame["recovered"]
            elif frame["type"] == "synced":
                self._recovering.pop(watcher, None)
            try:
                watcher.mirror.take(frame)
            except AssertionError as error:
                raise Broken(f"I4, I14: {watcher}: {error}") from error

    def _judge_update(self, watcher: Watcher, frame: Frame) -> None:
        key, version = frame["delivery_id"], frame["version"]
        event = self._world.known.get((self._world.epoch, topic_of(key), version))
        must(event is not None, "I1", watcher, f"was shown {key} v{version}, which is not committed", frame)
        assert event is not None
        state = event.state
        audience = state and DeliveryFeed.audience_in(watcher.viewer, state)
        must(bool(audience), "I11", watcher, f"was shown {key} v{version}, which was not his")
        assert state
        assert audience
        shown = DeliveryFeed.shown(audience)
        for name in DeliveryFeed.fields:
            expected = state[name] if name in shown else None
            must(frame[name] == expected, "I1", watcher, f"{key} v{version}", name, frame[name], expected)
        must(set(frame["masked"]) == set(DeliveryFeed.fields) - shown, "I11", watcher, frame)
        self._judge_continuity(watcher, frame)

    def _judge_continuity(self, watcher: Watcher, frame: Frame) -> None:
        """Every version comes, or there is a reason why it does not (I2, I14)."""
        held = watcher.mirror.records.get(frame["delivery_id"])
        if held is None or frame.get("prev", 0) is None:
            return
        topic, had, version = topic_of(frame["delivery_id"]), held["version"], frame["version"]
        skipped = range(had + 1, version)
        if not skipped:
            return
        recovering = self._recovering.get(watcher)
        is_expired = version - had > CATCH_UP_LIMIT or any((topic, each) not in self._world.there for each in skipped)
        if watcher.is_whole and recovering:
            missed = [each for each in skipped if self._sees(watcher, topic, each)]
            must(not missed, "I14", watcher, f"recovered, and {topic} {missed} did not come")
        elif watcher.is_whole or (recovering is None and not watcher.has_stood_still):
            must(is_expired, "I2", watcher, f"{topic} {list(skipped)} did not come before {version}")

    def _sees(self, watcher: Watcher, topic: str, version: int) -> bool:
        event = self._world.known.get((self._world.epoch, topic, version))
        state = event and event.state
        return bool(state and DeliveryFeed.audience_in(watcher.viewer, state))

    def _judge_promptness(self, watcher: Watcher) -> None:
        """What the hub has heard its viewers have, without a round of repair (I2, I8)."""
        loose = set(watcher.mirror.records) - set(watcher.mirror._covered())
        must(not loose, "I11", watcher, "was shown", loose, "which none of his topics has")
        for key, frame in watcher.mirror.records.items():
            told = self._world.told.get(topic_of(key), -1)
            must(frame["version"] >= told, "I8", watcher, f"has {key} v{frame['version']}, the bus brought v{told}")

    def _judge_state(self, watcher: Watcher) -> None:
        world, mirror = self._world, watcher.mirror
        if watcher.sink.code is not None:
            must(watcher.sink.code == 4404 and watcher.record is not None, "I17", watcher, watcher.sink.code)
            self._judge_loss(watcher, str(watcher.record))
            return
        for key, frame in mirror.records.items():
            head = world.heads[topic_of(key)]
            must(frame["version"] == head.version, "I5", watcher, f"{key} v{frame['version']}, there is {head}")
            must(self._visible(watcher, head), "I11", watcher, f"still has {key}")
        for ask in watcher.asks:
            if ask.key is None:
                expected = self._listed(watcher, ask)
                must(set(mirror.boards[ask.id]) == expected, "I5", watcher, mirror.boards[ask.id], expected)
            elif ask.id not in mirror.topics:
                self._judge_loss(watcher, ask.key)
        if watcher.record is not None:
            must(str(watcher.record) in mirror.records, "I5", watcher, "was shown nothing")

    def _judge_loss(self, watcher: Watcher, key: str) -> None:
        """Who lost a record lost it by a version that was not his."""
        topic = topic_of(key)
        head = self._world.heads.get(topic)
        versions = range(watcher.began.get(topic, 0), (head.version if head else 0) + 1)
        must(
            head is None or any(not self._sees(watcher, topic, version) for version in versions),
            "I5",
            watcher,
            f"lost {key} without a reason",
        )

    def _visible(self, watcher: Watcher, head: Stream) -> bool:
        return bool(head.state and DeliveryFeed.audience_in(watcher.viewer, head.state))

    def _listed(self, watcher: Watcher, ask: Ask) -> set[str]:
        listing = ask.listing(watcher.viewer)
        heads = self._world.heads
        there = [
            key
            for key in sorted(KEYS, reverse=True)
            if topic_of(key) in heads
            and self._visible(watcher, heads[topic_of(key)])
            and listing.has(heads[topic_of(key)].state or {})
        ]
        return {str(key) for key in there[: ask.limit]}


def same(watcher: Watcher, fresh: Watcher) -> None:
    """``apply(snapshot, frames) == fresh snapshot`` (I5)."""

    def values(frames: dict[str, Frame]) -> dict[str, Any]:
        return {key: {name: v for name, v in frame.items() if name != "prev"} for key, frame in frames.items()}

    kept, new = values(watcher.mirror.records), values(fresh.mirror.records)
    must(kept == new, "I5", watcher, kept, "a fresh snapshot is", new)


def rows_are_shown(watcher: Watcher) -> None:
    """What is held is the row itself, masked (I5)."""

    class Somebody:
        pk, role = watcher.viewer.id, watcher.viewer.role

    for key, frame in watcher.mirror.records.items():
        seen = {name: frame[name] for name in DeliveryFeed.fields}
        wrong = difference(seen, row_as_seen(topic_of(key), Somebody))
        must(not wrong, "I5", watcher, key, wrong)
