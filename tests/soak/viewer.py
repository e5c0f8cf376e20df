"""What all ways to watch have in common. A viewer outlives its connections, as a page does."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

import msgspec

from tests.soak.cast import Person
from tests.soak.ledger import Frame, audience_in
from tests.soak.line import BROKEN, ROTATED, Line
from tests.soak.truth import Heads
from tests.soak.world import Port, World
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
