"""What is not signed by us is not ours, whatever it looks like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.exceptions import ForgedMessage
from realtime.protocol.codec import Beat, Hints, seal, unseal
from realtime.protocol.frames import Update

KEY = b"k" * 32
BODY = seal(Hints("epoch", [Update("order.7", 3, {"note": "Grüße"}, ("note",), "2026-11-23T12:00:00Z", 9)]), KEY)


def test_what_was_sealed_comes_back() -> None:
    message = unseal(BODY, KEY)
    assert isinstance(message, Hints)
    (update,) = message.updates
    assert (update.topic, update.version, update.state, update.changed) == ("order.7", 3, {"note": "Grüße"}, ("note",))


@given(st.one_of(st.text(), st.none(), st.integers(), st.binary(), st.dictionaries(st.text(), st.text())))
def test_anything_else_is_refused(body: object) -> None:
    with pytest.raises(ForgedMessage):
        unseal(body, KEY)


@given(st.integers(0, len(BODY) - 1), st.characters())
def test_one_changed_character_is_refused(at: int, character: str) -> None:
    forged = BODY[:at] + character + BODY[at + 1 :]
    if forged != BODY:
        with pytest.raises(ForgedMessage):
            unseal(forged, KEY)


def test_a_message_of_another_project_is_refused() -> None:
    with pytest.raises(ForgedMessage):
        unseal(seal(Beat("nonce"), b"another key"), KEY)


def test_a_message_of_one_of_several_keys_is_taken() -> None:
    for key in (b"new", b"old"):
        assert unseal(seal(Beat("nonce"), key), b"new", b"old") == Beat("nonce")
    with pytest.raises(ForgedMessage):
        unseal(seal(Beat("nonce"), b"older"), b"new", b"old")
    with pytest.raises(ForgedMessage):
        unseal(seal(Beat("nonce"), b"new"))


def test_a_signed_message_that_cannot_be_read_is_refused() -> None:
    from realtime.protocol.codec import _mac

    with pytest.raises(ForgedMessage):
        unseal(_mac(b"[]", KEY) + "[]", KEY)
