"""The soak's judge finds what it is there to find."""

from typing import Any

import msgspec
import pytest

from orders.feeds import OrderFeed
from tests.soak.acts import UNDONE
from tests.soak.cast import CANARY, Person
from tests.soak.ledger import HIDDEN, Ledger, Written, masked

NAMES = list(OrderFeed.fields)
CLIENT, BOOSTER, STRANGER = Person(1, "client", ""), Person(2, "booster", ""), Person(3, "client", "")
KEY = (7, 5)


def state(**values: Any) -> dict[str, Any]:
    found = dict.fromkeys(NAMES) | {
        "client_id": 1,
        "booster_id": 2,
        "status": "Continue",
        "actual_price": "91234.56",
        "booster_price": "70123.45",
        "note": f"{CANARY}-note 1",
        "client_username": f"{CANARY}-client-1",
    }
    return found | values


def written(**values: Any) -> Written:
    return Written(state(**values), frozenset({"status", "actual_price"}), "2026-01-01T00:00:00.000Z")


def frame(audience: str, **values: Any) -> dict[str, Any]:
    return {
        "type": "order.update",
        "order_id": KEY[0],
        **masked(state(), audience, NAMES),
        "timestamp": "2026-01-01T00:00:00.000Z",
        "version": KEY[1],
        "changed": [name for name in ("status", "actual_price") if name not in HIDDEN[audience]],
        "masked": [name for name in NAMES if name in HIDDEN[audience]],
        **values,
    }


def judged(person: Person, shown: dict[str, Any], **events: Any) -> dict[str, int]:
    ledger = Ledger()
    ledger.came(person, KEY, msgspec.json.encode(shown))
    ledger.judge(ledger.take(), {KEY: written(**events)}, NAMES)
    return dict(ledger.faults)


def test_the_masked_state_of_a_committed_version_is_right() -> None:
    assert judged(CLIENT, frame("client")) == {}
    assert judged(BOOSTER, frame("booster")) == {}


@pytest.mark.parametrize(
    ("person", "shown", "faults"),
    [
        (BOOSTER, frame("booster", actual_price="91234.56"), {"not the masked state", "leak"}),
        (BOOSTER, frame("booster", message="it costs more"), {"not the masked state"}),
        (CLIENT, frame("client", status="Paused"), {"not the masked state"}),
        (CLIENT, frame("client", changed=["status", "actual_price", "booster_price"]), {"not the masked state"}),
        (STRANGER, frame("client"), {"leak"}),
        (CLIENT, frame("client", message=UNDONE), {"not the masked state", "rolled back"}),
    ],
)
def test_what_is_wrong_is_found(person: Person, shown: dict[str, Any], faults: set[str]) -> None:
    assert judged(person, shown).keys() == faults


def test_a_version_that_was_not_committed_is_found() -> None:
    ledger = Ledger()
    ledger.came(CLIENT, (7, 6), b"{}")
    ledger.judge(ledger.take(), {KEY: written()}, NAMES)
    assert dict(ledger.faults) == {"not committed": 1}


def test_a_prospect_sees_no_word_of_the_client() -> None:
    offered = {"booster_id": None, "status": "New"}
    shown = frame("prospect", booster_id=None, status="New")
    assert judged(BOOSTER, shown, **offered) == {}
    assert "leak" in judged(BOOSTER, {**shown, "title": f"for {CANARY}-client-1"}, **offered)


def test_who_is_sent_away_had_lost_the_order_in_some_version() -> None:
    ledger = Ledger()
    ledger.lost(BOOSTER, 7, 4)
    assert ledger.wanted() == ([], {7: 4})
    ledger.judge(ledger.take(), {(7, 4): written(), KEY: written(booster_id=9)}, NAMES)
    assert not ledger.faults
    ledger.lost(BOOSTER, 7, 4)
    ledger.judge(ledger.take(), {(7, 4): written(), KEY: written()}, NAMES)
    assert dict(ledger.faults) == {"sent away": 1}


def test_who_wants_every_version_misses_only_those_that_are_not_for_him() -> None:
    ledger = Ledger()
    ledger.skipped(BOOSTER, 7, range(4, 6))
    ledger.judge(ledger.take(), {(7, 4): written(booster_id=9), KEY: written(booster_id=9)}, NAMES)
    assert not ledger.faults
    ledger.skipped(BOOSTER, 7, range(4, 6))
    ledger.judge(ledger.take(), {(7, 4): written(booster_id=9), KEY: written()}, NAMES)
    assert dict(ledger.faults) == {"gap": 1}
