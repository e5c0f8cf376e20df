"""Declarations: what is wrong is said at start, and what is no key is no record."""

import uuid
from typing import Any

import pytest
from pytest_django import Settings

from realtime import feeds
from realtime.exceptions import DeclarationError
from realtime.feeds import Feed, Field, Part, Slot, register
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery, Route, Toll


def test_a_field_for_an_audience_that_the_feed_does_not_have() -> None:
    class Wrong(Feed):
        name, model, audiences = "wrong", Delivery, ("sender",)
        status = Field(to={"everybody"})

    with pytest.raises(DeclarationError, match=r"Wrong\.status names audiences"):
        register(Wrong)


def test_auditors_are_audiences() -> None:
    class Wrong(Feed):
        name, model, audiences, auditors = "wrong", Delivery, ("sender",), ("everybody",)

    with pytest.raises(DeclarationError, match=r"Wrong\.auditors names audiences"):
        register(Wrong)


def test_whose_a_personal_value_is_a_gate_says() -> None:
    class Wrong(Feed):
        name, model, audiences = "wrong", Delivery, ("sender",)
        courier_name = Field("courier.username", personal="courier_id")

    with pytest.raises(DeclarationError, match="which is no gate"):
        register(Wrong)


def test_two_feeds_of_one_name() -> None:
    class Other(Feed):
        name, model, audiences = "delivery", Delivery, ("sender",)

    with pytest.raises(DeclarationError, match="two feeds are named 'delivery'"):
        register(Other)


def test_a_gate_that_another_column_hides() -> None:
    class Wrong(Feed):
        name, model, audiences, gates = "wrong", Delivery, ("sender",), ("status",)
        status = Field("courier.username")

    with pytest.raises(DeclarationError, match="rename the field"):
        register(Wrong)


def test_a_part_fills_only_slots_and_never_widens_them() -> None:
    class NoSlot(Part):
        feed, model, owner = DeliveryFeed, Route, "delivery"
        status = Field()

    class Wider(Part):
        feed, model, owner = DeliveryFeed, Route, "delivery"
        town = Field(to={"sender"})

    for part, words in [(NoSlot, "fills no slot"), (Wider, "sets an audience")]:
        with pytest.raises(DeclarationError, match=words):
            register(part)
    assert len(DeliveryFeed.parts) == 2


def test_an_unknown_feed_names_the_known_ones() -> None:
    with pytest.raises(DeclarationError, match=r"registered: .*delivery"):
        feeds.feed_named("parcel")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "+1",
        "01",
        "1e3",
        "1.0",
        " 1",
        "1 ",
        "٣",
        "²",
        str(2**63),
        "9" * 4000,
        "1;--",
        "None",
        "true",
        "1/2",
        "1\n",
    ],
)
def test_what_is_no_integer_key(text: str) -> None:
    class ByNumber(Feed):
        name, model, audiences = "toll", Toll, ("sender",)

    assert ByNumber.key(text) is None


def test_integer_keys() -> None:
    class ByNumber(Feed):
        name, model, audiences = "toll", Toll, ("sender",)

    assert [ByNumber.key(text) for text in ("0", "7", str(2**63 - 1))] == [0, 7, 2**63 - 1]


def test_uuid_keys_are_canonical() -> None:
    key = uuid.uuid4()
    assert DeliveryFeed.key(str(key)) == key
    other_spellings: list[Any] = [str(key).upper(), key.hex, f"{{{key}}}", f"urn:uuid:{key}", "7"]
    assert [DeliveryFeed.key(text) for text in other_spellings] == [None] * 5


def test_visibility_decides_what_is_shown(settings: Settings) -> None:
    assert "price" not in DeliveryFeed.shown("courier")
    assert DeliveryFeed.shown("stranger") == frozenset()
    settings.REALTIME = {**settings.REALTIME, "VISIBILITY": "open"}
    assert "price" in DeliveryFeed.shown("courier")
    assert "last_toll" not in DeliveryFeed.shown("sender")
    assert DeliveryFeed.shown("stranger") == frozenset()


def test_a_slot_is_what_a_part_may_fill() -> None:
    assert isinstance(DeliveryFeed.fields["town"], Slot)
