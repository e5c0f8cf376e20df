"""The ways to watch over a socket: the plain dialect, and the sync dialect with orders or boards."""

import asyncio
from abc import abstractmethod
from typing import Any

import msgspec

from orders.feeds import OrderFeed
from realtime.testing.mirror import Mirror
from tests.soak.cast import Person
from tests.soak.ledger import Frame
from tests.soak.viewer import SILENCE, Viewer
from tests.soak.world import World


class Plain(Viewer):
    """The plain dialect: one order, frames and nothing else."""

    way = "plain"

    def __init__(self, world: World, person: Person, number: int) -> None:
        super().__init__(world, person, number)
        self.order: str | None = None
        self.frame: Frame | None = None
        self._is_first = True

    def path(self) -> str | None:
        self.order = self.order or self.choose(wanted="prospect" if self.number % 3 == 0 else "")
        self._is_first = True
        return self.order and f"/ws/orders/{self.order}/"

    def take(self, frame: Frame, raw: bytes) -> None:
        if frame["type"] != "order.update" or str(frame["order_id"]) != self.order:
            self.fault("another frame", str(frame)[:200])
            return
        held = self.frame["version"] if self.frame else 0
        follows = frame.get("prev", frame["version"] - 1)
        if self._is_first:
            # A new socket knows nothing of the one before, and has the state that the database has.
            if frame["version"] < held:
                self.fault("behind", f"a new socket has version {frame['version']}, the one before had {held}")
        elif frame["version"] <= held:
            self.fault("duplicate or disorder", f"version {frame['version']} after {held}")
        elif follows != held:
            self.fault("gap", f"version {frame['version']} follows {follows}, held {held}")
        self.frame, self._is_first = frame, False

    def ended(self, code: int) -> None:
        if code == 4404 and self.order is not None:
            self.world.ledger.lost(self.person, int(self.order), self.frame["version"] if self.frame else 0)
            self.order = self.frame = None

    def shown(self) -> dict[str, Frame]:
        return {self.order: self.frame} if self.order and self.frame else {}

    def is_complete(self) -> bool:
        return self.frame is not None and not self._is_first


class Synced(Viewer):
    """The sync dialect: the mirror judges; what is held is resumed."""

    protocol = "order-sync.v1"

    def __init__(self, world: World, person: Person, number: int) -> None:
        super().__init__(world, person, number)
        self.mirror = Mirror(OrderFeed)
        self._open: set[str] = set()
        self._next_id = 0

    def path(self) -> str | None:
        return "/ws/orders/"

    @abstractmethod
    def topics(self) -> dict[str, dict[str, Any]]:
        """Return what to subscribe to, by id: each a ``subscribe`` without ``have``."""

    def begin(self) -> None:
        self.mirror.forget()
        self._open = set()

    def take(self, frame: Frame, raw: bytes) -> None:
        kind = frame["type"]
        if kind == "error":
            self._refused(frame)
            return
        try:
            self._count_overlapping(frame)
            self.mirror.take(frame)
        except (AssertionError, KeyError) as error:
            self.fault("continuity", f"{error!r} at {str(frame)[:300]}, said {[*self.said]}")
            self.mirror = Mirror(OrderFeed)
            if self.line:
                self.line.cut()
            return
        if kind == "welcome":
            self._subscribe()
        elif kind == "subscribed":
            self.world.resumed[str(frame["reason"] or ("recovered" if frame["recovered"] else "new"))] += 1
        elif kind == "synced":
            self._open.discard(frame["id"])
        elif kind == "revoked":
            self._open.discard(frame["id"])  # it may have ended before it was complete
            asyncio.get_running_loop().call_later(1, self._subscribe)
        elif kind == "heartbeat":
            self._verify(frame["verified_at"])

    def _count_overlapping(self, frame: Frame) -> None:
        """Count a state that also stands for versions which are held: nothing is missing.

        A record that one board lost while another was still to be opened comes anew, after what was said to be held.
        """
        held, prev = self.mirror.records.get(str(frame.get("order_id"))), frame.get("prev")
        self.world.overlapping += held is not None and prev is not None and prev < held["version"] < frame["version"]

    def _subscribe(self) -> None:
        """Ask for what is wanted and not asked for on this line; with what is held of it."""
        if self.line is None or not self.line.is_open:
            return
        asked = self.world.asked.setdefault(self.line, set())
        for chosen, said in self.topics().items():
            if chosen in asked:
                continue
            asked.add(chosen)
            self._open.add(chosen)
            keys = self.mirror.boards.get(chosen) or [self.mirror.topics.get(chosen, "")]
            held = [key for key in keys if key in self.mirror.records]
            have = {"have": self.mirror.have(*held)} if held else {}
            self.line.say(msgspec.json.encode({"type": "subscribe", "id": chosen, **said, **have}))

    def _refused(self, frame: Frame) -> None:
        chosen = frame.get("id", "")
        self.world.errors[frame["code"]] += 1
        if frame["code"] == "not_found" and chosen in self.mirror.topics:
            key = self.mirror.topics[chosen]
            held = self.mirror.records.get(key)
            self.world.ledger.lost(self.person, int(key), held["version"] if held else 0)
            self.mirror.forget(chosen)
            self._open.discard(chosen)
        elif frame["code"] == "unavailable" and self.line is not None:
            self.world.asked[self.line].discard(chosen)
        else:
            self.fault("error", str(frame))
        asyncio.get_running_loop().call_later(0.5 + self.dice.random(), self._subscribe)

    def _verify(self, verified_at: str | None) -> None:
        """Hold the heartbeat to its word: what was committed before it and is visible has been written."""
        if not self.is_complete():
            return  # what was not subscribed to again is of another line
        for heads in self.world.heads:
            if verified_at is not None and verified_at > heads.clock:
                for key, frame in self.shown().items():
                    if frame["version"] < heads.versions.get(key, 0):
                        newest = heads.versions[key]
                        self.fault("heartbeat", f"{key} at {frame['version']}, {newest} before {verified_at}")

    def look_after(self, now: float) -> None:
        if self.line is not None and now - self.line.heard_at > SILENCE:
            self.world.silent += 1
            self.line.cut()

    def shown(self) -> dict[str, Frame]:
        return self.mirror.records

    def is_complete(self) -> bool:
        return self.line is not None and not self._open and bool(self.world.asked.get(self.line))


class Topics(Synced):
    """Several orders on one socket; ``mode`` ``latest`` or ``all``."""

    mode = "latest"
    way = "orders, latest"

    def topics(self) -> dict[str, dict[str, Any]]:
        many = 1 + self.number % 5
        while len(self.mirror.topics) < many:
            wanted = "prospect" if len(self.mirror.topics) % 2 else ""
            key = self.choose(wanted=wanted, but=set(self.mirror.topics.values()))
            if key is None:
                break
            self._next_id += 1
            self.mirror.topics[f"t{self._next_id}"] = key
        return {chosen: {"topic": f"order:{key}", "mode": self.mode} for chosen, key in self.mirror.topics.items()}

    def path(self) -> str | None:
        return super().path() if self.topics() else None


class EveryVersion(Topics):
    """Every version of several orders."""

    mode = "all"
    way = "orders, all"

    def take(self, frame: Frame, raw: bytes) -> None:
        if frame["type"] == "order.update" and frame.get("prev") is not None:
            skipped = range(frame["prev"] + 1, frame["version"])
            self.world.ledger.skipped(self.person, frame["order_id"], skipped)
        super().take(frame, raw)


class Boards(Synced):
    """The boards that a role has, one of them filtered where the role has several views of it."""

    way = "boards"

    def topics(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        if self.person.role in ("client", "booster"):
            found["mine"] = {"topic": "orders:mine"}
        if self.person.role == "booster":
            found["available"] = {"topic": "orders:available", "limit": 1000}
        if self.person.role in ("manager", "admin"):
            found["all"] = {"topic": "orders:all", "limit": 60 if self.number % 2 else 1000}
            found["paused"] = {"topic": "orders:all", "filter": {"status": "Paused"}, "limit": 1000}
        return found

    def lists(self) -> dict[str, list[int]]:
        """Return the members of each board as the viewer has them."""
        return {chosen: [int(key) for key in keys] for chosen, keys in self.mirror.boards.items()}
