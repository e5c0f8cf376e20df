"""The ways to watch: each a class, all with the same face. A viewer outlives its connections, as a page does."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

import msgspec

from orders.feeds import OrderFeed
from realtime.testing.mirror import Mirror
from tests.soak.cast import Person
from tests.soak.ledger import Frame, audience_in
from tests.soak.line import BROKEN, ROTATED, Events, Line
from tests.soak.truth import Heads
from tests.soak.world import Port, World
from tests.streams import request
from tests.wire import handshake

BASE, CAP = 0.1, 3.0
"""Seconds of the first and of the longest wait before a return: short, for a short soak."""

PATIENCE = 25.0
"""Seconds that a handshake may take. Who gives up sooner than a busy server takes him makes it busier."""

KNOWN_CODES = {1000, BROKEN, 4012, 4404, 4408, 4413, 4500, ROTATED, 404, 503}
"""What a line may end with, or a stream: the others of PROTOCOL §5 would be the client's fault, or ours."""

SILENCE = 30.0
"""Seconds without a word after which a client looks for another line: ten heartbeats, because the machine is busy."""


class Viewer(ABC):
    """Somebody who looks, one line at a time, and comes back when it breaks.

    ``shown``, ``has`` and ``wrong`` are what the soak asks of every way to watch.
    """

    way = ""
    protocol = ""

    def __init__(self, world: World, person: Person, number: int) -> None:
        self.world, self.person, self.number = world, person, number
        self.dice = random.Random(world.seed * 1000 + number)
        self.line: Line | None = None
        self.idle = False
        """There is nothing for this viewer to look at now."""
        self.said: deque[str] = deque(maxlen=12)
        """What came last beside states and heartbeats, for whoever asks why this viewer has not healed."""
        self._tries = 0

    @abstractmethod
    def path(self) -> str | None:
        """Return what to open; ``None``: there is nothing to watch now."""

    @abstractmethod
    def take(self, frame: Frame, raw: bytes) -> None:
        """Take a frame, and judge its place among the others."""

    @abstractmethod
    def shown(self) -> dict[str, Frame]:
        """Return what is on the screen: the newest frame of each order."""

    @abstractmethod
    def is_complete(self) -> bool:
        """Return whether all that was asked for has been answered."""

    def line_to(self, port: Port, path: str) -> Line:
        """Return a line that is not connected yet."""
        asked = handshake(port, path, session=self.person.session, protocol=self.protocol)  # type: ignore[arg-type]
        return Line(asked, self._heard)

    def begin(self) -> None:  # noqa: B027 (not every way has something to do here)
        """Get ready for a new line."""

    def ended(self, code: int) -> None:  # noqa: B027
        """Take the end of a line."""

    def has(self, heads: Heads) -> bool:
        """Return whether everything that is shown is at least as new as ``heads``."""
        if self.idle:
            return True
        if self.line is None or not self.line.is_open or not self.is_complete():
            return False
        return all(frame["version"] >= heads.versions.get(key, 0) for key, frame in self.shown().items())

    def wrong(self, rows: dict[tuple[int, int], dict[str, Any]]) -> str:
        """Say what is shown and is not the row, when all has come to rest; empty when nothing is."""
        for key, frame in self.shown().items():
            row = rows.get((self.person.id, int(key)))
            if row is None:
                return f"{self} is shown order {key}, which is not there for him"
            values = {name: frame[name] for name in row}
            if values != row:
                return f"{self}, order {key}: shown {values}, the row is {row}"
        return "" if self.idle or (self.is_complete() and self.line is not None) else f"{self} is not complete"

    async def live(self) -> None:
        """Watch until cancelled."""
        await asyncio.sleep(self.dice.uniform(0, 2))
        while True:
            path = self.path()
            self.idle = path is None
            if path is None:
                await asyncio.sleep(0.5)
                continue
            port = self.world.port_for(self.number, self._tries)
            code = await self._watch(port, path)
            self.world.codes[str(code)] += 1
            if code not in KNOWN_CODES:
                self.fault("close code", str(code))
            self.ended(code)
            await asyncio.sleep(self._delay(code))

    async def _watch(self, port: Port, path: str) -> int:
        """Open a line and stay; return what it ended with."""
        loop = asyncio.get_running_loop()
        line = self.line = self.line_to(port, path)
        self.begin()
        try:
            async with asyncio.timeout(PATIENCE):
                await loop.create_connection(lambda: line, "127.0.0.1", port.port)
                await line.opened
            if line.is_open:
                self.world.handshakes += 1
                await asyncio.wait([line.ended], timeout=self.dice.uniform(30, 120))
                line.leave()  # if it stands: a page is left and opened again
            return line.ended.result()
        except OSError:  # a time-out is one
            return BROKEN
        finally:
            self.line = None
            line.cut()

    def _delay(self, code: int) -> float:
        """Full jitter; a viewer that left by himself, or lost what he watched, looks at the next thing at once."""
        if code in (1000, 4404, 404):
            self._tries = 0
            return self.dice.uniform(0, BASE)
        self._tries += 1
        return self.dice.uniform(0, min(CAP, BASE * 2.0**self._tries))

    def _heard(self, raw: bytes) -> None:
        self._tries = 0
        frame = msgspec.json.decode(raw)
        if frame["type"] == "order.update":
            self._note(frame, raw)
        elif frame["type"] != "heartbeat":
            self.said.append(raw[:120].decode())
        self.take(frame, raw)

    def _note(self, frame: Frame, raw: bytes) -> None:
        if "version" not in frame:
            self.fault("without a version", str(frame)[:200])
            return
        shared = raw
        if "prev" in frame:
            self.world.with_prev += 1
            shared = b"{" + raw[raw.index(b",") + 1 :]
        self.world.ledger.came(self.person, (frame["order_id"], frame["version"]), shared)

    def fault(self, kind: str, words: str) -> None:
        self.world.ledger.fault(kind, f"{self}: {words}")

    def look_after(self, now: float) -> None:  # noqa: B027
        """Give up a line that is silent for too long."""

    def choose(self, *, wanted: str = "", but: set[str] | None = None) -> str | None:
        """Return an order that this person sees, as ``wanted`` where there is one; none of those in ``but``."""
        seen: dict[str, list[int]] = {}
        for order, gates in self.world.directory.items():
            audience = audience_in(self.person, gates)
            if audience and str(order) not in (but or ()):
                is_over = gates["status"] in ("Done", "Dropped")
                seen.setdefault("over" if is_over else audience, []).append(order)
        for audience in (wanted, *(name for name in seen if name != "over"), "over"):
            if seen.get(audience):
                return str(self.dice.choice(seen[audience]))
        return None

    def __str__(self) -> str:
        return f"{self.way} {self.number} ({self.person.role} {self.person.id})"


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


class Streamed(Viewer):
    """Server-sent events. The browser remembers one id; a state that comes anew is taken as it is."""

    def __init__(self, world: World, person: Person, number: int) -> None:
        super().__init__(world, person, number)
        self.mirror = Mirror(OrderFeed)
        self._last = ""
        self._came: set[str] = set()

    def line_to(self, port: Port, path: str) -> Line:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": self._last} if self._last else {})}
        asked = request(port, path, self.person.session, headers=headers)  # type: ignore[arg-type]
        self._came = set()
        return Events(asked, self._heard)

    def take(self, frame: Frame, raw: bytes) -> None:
        if frame["type"] == "order.update":
            key = str(frame["order_id"])
            if key not in self._came and self._is_anew(frame, self.mirror.records.get(key)):
                self.mirror.records.pop(key, None)
                frame = {**frame, "prev": None}
            self._came.add(key)
        try:
            self.mirror.take(frame)
        except (AssertionError, KeyError) as error:
            self.fault("continuity", f"{error!r} at {str(frame)[:300]}, Last-Event-ID {self._last}")
            self.mirror, self._last = Mirror(OrderFeed), ""
            if self.line:
                self.line.cut()
        if isinstance(self.line, Events):
            self._last = self.line.last

    def _is_anew(self, frame: Frame, held: Frame | None) -> bool:
        """Return whether the first state of an order on a line stands for itself."""
        return frame.get("prev", 0) is None

    def ended(self, code: int) -> None:
        self._last = self._last if code not in (404, 4404) else ""

    def look_after(self, now: float) -> None:
        if self.line is not None and now - self.line.heard_at > SILENCE:
            self.world.silent += 1
            self.line.cut()

    def shown(self) -> dict[str, Frame]:
        return self.mirror.records


class OrderStream(Streamed):
    """One order as an event stream."""

    way = "stream of an order"

    def __init__(self, world: World, person: Person, number: int) -> None:
        super().__init__(world, person, number)
        self.order: str | None = None

    def path(self) -> str | None:
        self.order = self.order or self.choose()
        if self.order is not None:
            self.mirror.topics["order"] = self.order
        return self.order and f"/api/orders/{self.order}/stream"

    def ended(self, code: int) -> None:
        super().ended(code)
        if code in (404, 4404) and self.order is not None:
            self.world.ledger.lost(self.person, int(self.order), self._held)
            self.order = None
            self.mirror = Mirror(OrderFeed)
            self._held = 0

    _held = 0

    def take(self, frame: Frame, raw: bytes) -> None:
        super().take(frame, raw)
        self._held = frame.get("version", self._held)

    def is_complete(self) -> bool:
        return self.order in self.mirror.records


class BoardStream(Streamed):
    """A board as an event stream."""

    way = "stream of a board"
    BOARD = "poll"

    def _is_anew(self, frame: Frame, held: Frame | None) -> bool:
        """What came behind the last position is remembered by the page, not by the id: it may come once more."""
        follows = frame.get("prev", frame["version"] - 1)
        return follows is None or (held is not None and follows <= held["version"])

    def path(self) -> str | None:
        return f"/api/orders/stream?topic={self.name}&limit=1000"

    @property
    def name(self) -> str:
        return {"client": "mine", "booster": "available"}.get(self.person.role, "all")

    def begin(self) -> None:
        self._is_synced = False

    def take(self, frame: Frame, raw: bytes) -> None:
        self.mirror.boards.setdefault(self.BOARD, [])  # the address has subscribed, nothing says so
        super().take(frame, raw)
        if frame["type"] == "synced":
            self._is_synced = True
            self.mirror.forget()

    def is_complete(self) -> bool:
        return self._is_synced

    def topics(self) -> dict[str, dict[str, Any]]:
        return {self.BOARD: {"topic": f"orders:{self.name}", "limit": 1000}}

    def lists(self) -> dict[str, list[int]]:
        return {chosen: [int(key) for key in keys] for chosen, keys in self.mirror.boards.items()}
