"""The session core under a network that loses, doubles and shuffles; mutants show that the tests can fail."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.protocol.frames import Update
from realtime.protocol.session import CatchUp, Effect, Send, Session, _Cursor

TOPIC = "order.7"


def update(version: int) -> Update:
    return Update(TOPIC, version, {"version": version}, (), "2026-11-23T12:00:00.000Z")


class Wire:
    """A socket's session, a database that has every version up to ``head``, and what the socket was sent."""

    def __init__(self, session: Session, *, head: int, history: bool) -> None:
        self.session, self.head, self.history = session, head, history
        self.sent: list[Send] = []
        self.reads: list[CatchUp] = []

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self.sent.append(effect)
                case CatchUp():
                    self.reads.append(effect)

    def answer_one_read(self) -> None:
        """Answer the oldest read with what the database has now: every version after, or the newest alone."""
        if self.reads:
            after = self.reads.pop(0).after
            first = self.head if after is None or not self.history else after + 1
            versions = range(first, self.head + 1) if after is None or after < self.head else []
            self.perform(self.session.fetched(TOPIC, [update(version) for version in versions]))

    def settle(self) -> None:
        """Nothing is lost for good: a look at the head, and every read answered."""
        for _ in range(3):
            while self.reads:
                self.answer_one_read()
            self.perform(self.session.head(TOPIC, self.head))
        while self.reads:
            self.answer_one_read()


STEPS = st.lists(
    st.one_of(
        st.just("commit"),
        st.just("read"),
        st.just("look"),
        st.tuples(st.just("hint"), st.integers(0, 6)),  # an update that old arrives, again or late
    ),
    max_size=60,
)


def run(make: Callable[[], Session], steps: list[object], *, history: bool) -> Wire:
    wire = Wire(make(), head=1, history=history)
    wire.perform([wire.session.join(TOPIC)])
    for step in steps:
        match step:
            case "commit":
                wire.head += 1
            case "read":
                wire.answer_one_read()
            case "look":
                wire.perform(wire.session.head(TOPIC, wire.head))
            case ("hint", int(age)) if wire.head > age:
                wire.perform(wire.session.arrived(update(wire.head - age)))
    wire.settle()
    return wire


def check(wire: Wire) -> None:
    versions = [send.update.version for send in wire.sent]
    assert versions == sorted(set(versions)), "versions rise, none is repeated"
    had: int | None = None
    for send in wire.sent:
        assert send.had == had, "a frame says truly what the socket had before"
        had = send.update.version
    assert versions[-1] == wire.head, "the socket ends at the newest"


@given(STEPS, st.booleans())
def test_versions_rise_and_end_at_the_newest(steps: list[object], history: bool) -> None:
    check(run(Session, steps, history=history))


@given(STEPS)
def test_where_history_is_there_nothing_is_left_out(steps: list[object]) -> None:
    check_whole(run(Session, steps, history=True))


class NoGapCheck(Session):
    def _is_gap(self, cursor: _Cursor, update: Update) -> bool:
        return False


class NoDuplicateCheck(Session):
    def _is_duplicate(self, cursor: _Cursor, update: Update) -> bool:
        return False


class ReadsWithoutHolding(Session):
    """``subscribe_after_snapshot``: what is committed while the state is read is not heard."""

    def _hold(self, held: list[Update], update: Update) -> None:
        held.clear()


class NoHeadCheck(Session):
    def head(self, topic: str, version: int) -> list[Effect]:
        return []


@pytest.mark.parametrize("mutant", [NoGapCheck, NoDuplicateCheck, NoHeadCheck])
def test_a_mutant_is_caught(mutant: type[Session]) -> None:
    with pytest.raises(AssertionError):
        settings(max_examples=2000, derandomize=True, database=None)(
            given(STEPS)(lambda steps: check_whole(run(mutant, steps, history=True)))
        )()


def check_whole(wire: Wire) -> None:
    check(wire)
    first = wire.sent[0].update.version
    assert [send.update.version for send in wire.sent] == list(range(first, wire.head + 1))


def test_what_was_committed_while_the_state_was_read_follows_it_without_another_read() -> None:
    session = Session()
    session.join(TOPIC)
    session.arrived(update(4))
    sends = session.fetched(TOPIC, [update(3)])
    assert [(send.update.version, send.had) for send in sends if isinstance(send, Send)] == [(3, None), (4, 3)]
    mutant = ReadsWithoutHolding()
    mutant.join(TOPIC)
    mutant.arrived(update(4))
    assert len(mutant.fetched(TOPIC, [update(3)])) == 1


def test_a_hint_beyond_the_database_ends_in_silence() -> None:
    """A restored backup, or a version that never was: the read brings nothing, so asking again would never end."""
    session = Session()
    session.join(TOPIC)
    session.fetched(TOPIC, [update(3)])
    assert session.arrived(update(9_000_000_000)) == [CatchUp(TOPIC, 3)]
    assert session.fetched(TOPIC, []) == []
    assert [send.update.version for send in session.arrived(update(4)) if isinstance(send, Send)] == [4]


def test_what_is_held_is_bounded() -> None:
    session = Session()
    session.join(TOPIC)
    for version in range(2, 1000):
        session.arrived(update(version))
    effects = session.fetched(TOPIC, [update(1)])
    assert isinstance(effects[0], Send)
    assert effects[1] == CatchUp(TOPIC, 1), "what gave way is read again"


def test_a_topic_that_was_left_is_silent() -> None:
    session = Session()
    session.join(TOPIC)
    session.leave(TOPIC)
    assert session.arrived(update(1)) == []
    assert session.fetched(TOPIC, [update(1)]) == []
    assert session.head(TOPIC, 5) == []


def test_who_is_ahead_gets_the_state_though_another_topic_of_his_was_told_that_nothing_is_missing() -> None:
    session = Session()
    session.join(TOPIC, after=9)
    assert session.fetched(TOPIC, [update(3)]) == [], "a board that covers the record believes him"
    session.restart(TOPIC)
    (send,) = session.fetched(TOPIC, [update(3)])
    assert isinstance(send, Send)
    assert (send.update.version, send.had) == (3, None)
