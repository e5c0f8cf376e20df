"""What the viewers of one crowd share: where the servers are, who has which order, and what was counted."""

import weakref
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from tests.soak.ledger import Ledger
from tests.soak.line import Line
from tests.soak.truth import Heads


@dataclass(frozen=True, slots=True)
class Port:
    """A server, as far as a handshake asks."""

    cookie = "sessionid"
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(slots=True)
class World:
    """Shared by all viewers."""

    seed: int
    ports: list[int]
    ledger: Ledger = field(default_factory=Ledger)
    directory: dict[int, dict[str, Any]] = field(default_factory=dict)
    heads: deque[Heads] = field(default_factory=lambda: deque(maxlen=3))
    asked: "weakref.WeakKeyDictionary[Line, set[str]]" = field(default_factory=weakref.WeakKeyDictionary)
    """What was subscribed to on each line."""
    handshakes: int = 0
    with_prev: int = 0
    overlapping: int = 0
    """States that also stand for versions which are held."""
    anew: int = 0
    """First states on a line that were held already."""
    silent: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    resumed: Counter[str] = field(default_factory=Counter)

    def port_for(self, number: int, tries: int) -> Port:
        """Return where a viewer goes: home, and to the next server when that does not take him."""
        return Port(self.ports[(number + tries) % len(self.ports)])
