"""Judges every frame by the event log: was it committed, is it this viewer's to see, and is it masked as declared?"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orders.audience import audience_of
from tests.soak.acts import UNDONE
from tests.soak.cast import CANARY, Person

Frame = dict[str, Any]
Key = tuple[int, int]

HIDDEN = {
    "client": {"booster_price", "last_payout"},
    "booster": {"actual_price", "last_payment"},
    "prospect": {"actual_price", "last_payment", "last_payout", "note", "client_username"},
    "manager": set(),
    "admin": set(),
}
"""PROTOCOL §7, written down once more: what the product declares is what is on trial."""

MONEY = ("actual_price", "booster_price")
ADDED = {"type", "order_id", "timestamp", "version", "changed", "masked"}


def audience_in(person: Person, state: Mapping[str, Any]) -> str | None:
    """Return how ``person`` sees an order in ``state``."""
    gates = {gate: state[gate] for gate in ("client_id", "booster_id", "status")}
    return audience_of(user_id=person.id, role=person.role, **gates)


def masked(state: Mapping[str, Any], audience: str, names: list[str]) -> dict[str, Any]:
    """Return the declared values of ``state`` as ``audience`` may see them."""
    return {name: None if name in HIDDEN[audience] else state[name] for name in names}


@dataclass(slots=True)
class Ledger:
    """What came, until it is judged. Frames of the same bytes are judged once for all who got them."""

    faults: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    frames: int = 0
    judged: int = 0
    _came: dict[tuple[Key, bytes], Counter[Person]] = field(default_factory=dict)
    _lost: dict[tuple[int, Person], int] = field(default_factory=dict)
    _skipped: list[tuple[int, Person, range]] = field(default_factory=list)

    def fault(self, kind: str, words: str) -> None:
        """Something is wrong; the first of each kind are kept word for word."""
        self.faults[kind] += 1
        if self.faults[kind] <= 4:
            self.examples.append(f"{kind}: {words}")

    def came(self, person: Person, key: Key, shared: bytes) -> None:
        """``person`` got the version ``key``; ``shared`` are its bytes without ``prev``."""
        self.frames += 1
        self._came.setdefault((key, shared), Counter())[person] += 1

    def lost(self, person: Person, order_id: int, version: int) -> None:
        """``person`` was told that the order is not there for him; ``version`` is the last that he had, or 0."""
        self._lost[order_id, person] = version

    def skipped(self, person: Person, order_id: int, versions: range) -> None:
        """``person`` asked for every version, and these were left out: that is right if he may not see them."""
        self._skipped.append((order_id, person, versions))

    def wanted(self) -> tuple[list[Key], dict[int, int]]:
        """Return the versions that must be looked up, and from which version on of which orders."""
        after: dict[int, int] = {}
        for order, version in [(order, version) for (order, _), version in self._lost.items()] + [
            (order, versions.start) for order, _, versions in self._skipped
        ]:
            after[order] = min(version, after.get(order, version))
        return list({key for key, _ in self._came}), after

    def take(self) -> "Ledger":
        """Return what waits to be judged, and begin anew."""
        taken = Ledger(_came=self._came, _lost=self._lost, _skipped=self._skipped)
        self._came, self._lost, self._skipped = {}, {}, []
        return taken

    def judge(self, taken: "Ledger", events: Mapping[Key, "Written"], names: list[str]) -> None:
        """Judge what was taken by ``events``, which has every version that was wanted and exists."""
        for (key, shared), people in taken._came.items():
            self.judged += people.total()
            written = events.get(key)
            if written is None or written.state is None:
                self.fault("not committed", f"order.{key[0]} v{key[1]} is not in the log: {shared[:200]!r}")
                continue
            for audience in {audience_in(person, written.state) for person in people}:
                self._judge(key, shared, audience, written, names)
        for (order_id, person), version in taken._lost.items():
            states = [each.state for (order, v), each in events.items() if order == order_id and v >= version]
            if all(state is not None and audience_in(person, state) for state in states):
                self.fault("sent away", f"{person} from order.{order_id}, which he saw in v{version} and ever after")

        for order_id, person, versions in taken._skipped:
            for version in versions:
                written = events.get((order_id, version))
                if written is None or (written.state is not None and audience_in(person, written.state)):
                    self.fault("gap", f"{person} was not sent v{version} of order.{order_id}, and wants every version")

    def _judge(self, key: Key, shared: bytes, audience: str | None, written: "Written", names: list[str]) -> None:
        import msgspec

        where = f"order.{key[0]} v{key[1]} as {audience}"
        state = written.state
        assert state is not None
        if audience is None:
            self.fault("leak", f"{where}: this viewer may not see this version")
            return
        hidden = [name for name in names if name in HIDDEN[audience]]
        expected = {
            "type": "order.update",
            "order_id": key[0],
            **masked(state, audience, names),
            "timestamp": written.at,
            "version": key[1],
            "changed": [name for name in names if name in written.changed and name not in hidden],
            "masked": hidden,
        }
        found = msgspec.json.decode(shared)
        if found != expected:
            wrong = {n: (found.get(n), expected.get(n)) for n in {*found, *expected} if found.get(n) != expected.get(n)}
            self.fault("not the masked state", f"{where}: {wrong}")
        for text in canaries(state, hidden):
            if text in shared:
                self.fault("leak", f"{where}: {text!r} in {shared!r}")
        if UNDONE.encode() in shared:
            self.fault("rolled back", f"{where}: {shared!r}")


@dataclass(frozen=True, slots=True)
class Written:
    """One event of the log."""

    state: Frame | None
    changed: frozenset[str]
    at: str


def canaries(state: Mapping[str, Any], hidden: list[str]) -> list[bytes]:
    """Return texts that stand in hidden values, and in no value that is shown."""
    shown = {str(value) for name, value in state.items() if name not in hidden}
    texts = [f'"{state[name]}"' for name in MONEY if name in hidden and str(state[name]) not in shown]
    texts += [f"{CANARY}-note"] if "note" in hidden else []
    texts += [f"{CANARY}-client"] if "client_username" in hidden else []
    return [text.encode() for text in texts]
