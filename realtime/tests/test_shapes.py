"""The types of a feed's frames: made of its declaration, and true of the frames that viewers get."""

from typing import Any

import msgspec
import pytest
from asgiref.sync import sync_to_async

from realtime import asyncapi
from realtime.hub import Hub
from realtime.shapes import message_type, update_type
from realtime.testing import connect_as
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Route, Tag, Toll
from realtime.tests.people import delivery
from realtime.tests.syncing import PATH, change


def schema() -> dict[str, Any]:
    _, found = msgspec.json.schema_components([update_type(DeliveryFeed)])
    return found


def test_a_column_says_what_a_field_holds() -> None:
    values = schema()["DeliveryUpdate"]["properties"]
    assert values["delivery_id"] == {"type": "string", "format": "uuid"}
    assert values["status"] == {"type": "string", "maxLength": 20}
    assert values["price"]["anyOf"] == [{"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2}$"}, {"type": "null"}]
    assert values["courier_name"]["anyOf"][-1] == {"type": "null"}, "there may be no courier"
    assert values["town"] == {"type": "string", "maxLength": 50}
    assert values["tags"]["items"] == {"type": "string", "maxLength": 20}
    assert values["masked"]["items"]["enum"] == ["last_toll", "price"]
    assert schema()["DeliveryLastToll"]["required"] == ["id", "amount", "at"]


@pytest.mark.django_db(transaction=True)
async def test_what_every_viewer_gets_is_of_these_types() -> None:
    record = await sync_to_async(delivery)()

    @sync_to_async
    def filled() -> None:
        Route.objects.create(delivery=record, town="Ulm")
        Toll.objects.create(delivery=record, amount="2.50")
        record.tags.add(Tag.objects.create(name="fragile"))

    for viewer in (record.sender, record.courier):
        async with connect_as(viewer, f"{PATH}{record.pk}/") as socket:
            await socket.next()
            await filled() if viewer == record.sender else await change(record, status="moving")
            await socket.until(tags=["fragile"])
            Hub.current().hinted("delivery", str(record.pk), "Hello.")
            words = await socket.until(message="Hello.")
            of_words = message_type(DeliveryFeed)
            for frame in socket.frames:
                wanted = of_words if frame is words else update_type(DeliveryFeed)
                assert set(frame) - {"prev", "type"} == set(wanted.__struct_fields__) - {"prev"}
                assert msgspec.to_builtins(msgspec.convert(frame, wanted)) == frame


def test_the_document_has_each_feed_and_what_its_channels_carry() -> None:
    made = asyncapi.document([DeliveryFeed], version="1", cookie="sessionid", examples={})
    assert {name: channel["address"] for name, channel in made["channels"].items()} == {
        "deliveries": "/ws/deliveries/",
        "deliverySync": "/ws/deliveries/{delivery_id}/",
        "deliveryPlain": "/ws/deliveries/{delivery_id}/",
    }
    plain = [name for name in made["operations"] if name.startswith("deliveryPlain")]
    assert plain == ["deliveryPlain.send.delivery_update", "deliveryPlain.send.delivery_message"]
    assert made["operations"]["deliveries.receive.ping"]["reply"]["messages"] == [
        {"$ref": "#/channels/deliveries/messages/pong"}
    ]
    for message in made["components"]["messages"].values():
        assert message["payload"]["$ref"].removeprefix("#/components/schemas/") in made["components"]["schemas"]
