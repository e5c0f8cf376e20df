"""The ways to watch without a socket: event streams of an order and of a board."""

from typing import Any

from orders.feeds import OrderFeed
from realtime.testing.mirror import Mirror
from tests.soak.cast import Person
from tests.soak.ledger import Frame
from tests.soak.line import Events, Line
from tests.soak.viewer import SILENCE, Viewer
from tests.soak.world import Port, World
from tests.streams import request


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
        self.mirror.forget()  # states of a line that broke before ``synced`` belong to nothing

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
