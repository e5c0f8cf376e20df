"""What waits for a slow reader is bounded; what gives way is said in ``prev``."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.protocol.frames import Update
from realtime.protocol.outbox import Item, Outbox, Repeat
from realtime.protocol.session import Send


@given(st.lists(st.one_of(st.integers(1, 3), st.just("pull"), st.just("repeat")), max_size=80), st.integers(1, 5))
def test_each_topic_goes_on_without_an_unsaid_gap(steps: list[object], limit: int) -> None:
    box = Outbox(limit=limit)
    versions = {1: 0, 2: 0, 3: 0}
    got = {1: 0, 2: 0, 3: 0}

    def take(item: Item | None) -> None:
        if isinstance(item, Send):
            topic = int(item.update.topic)
            assert item.had == got[topic], "a frame follows on what the socket has"
            got[topic] = item.update.version

    for step in steps:
        match step:
            case int(topic):
                versions[topic] += 1
                update = Update(str(topic), versions[topic], {}, (), "")
                box.push(Send(update, versions[topic] - 1))
            case "pull":
                take(box.pull())
            case "repeat":
                box.push(Repeat(Update("1", versions[1], {}, (), ""), "hello"))
        assert len(box) <= max(limit, 2 * 3)
    while len(box):
        take(box.pull())
    assert got == versions, "every topic ends at its newest"


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9), st.booleans()), max_size=60), st.integers(1, 30))
def test_bytes_that_no_newer_state_can_stand_for_are_too_many(pushed: list[tuple[int, int, bool]], most: int) -> None:
    box = Outbox(limit=1000, most=most)
    whole, newest = 0, dict[int, int]()
    for version, (topic, weight, is_whole) in enumerate(pushed, 1):
        box.push(Send(Update(str(topic), version, {}, (), ""), version - 1, whole=is_whole), weight=weight)
        if is_whole:
            whole += weight
        else:
            newest[topic] = weight
        if whole + sum(newest.values()) > most:
            assert box.overflows(3), "the newest of each and all that may not be left out"
    while len(box):
        box.pull()
    assert not box.overflows(0), "an empty box holds no bytes"
