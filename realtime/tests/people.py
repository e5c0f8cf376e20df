"""A sender, a courier and their delivery, for tests of ``realtime`` by itself."""

from itertools import count
from typing import Any

from django.contrib.auth import get_user_model

from realtime.models import Stream
from realtime.testing import events_of
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.deliveries.models import Delivery

_numbers = count(1)


def user(name: str = "") -> Any:
    return get_user_model().objects.create(username=name or f"user{next(_numbers)}")


def delivery(**values: Any) -> Delivery:
    return Delivery.objects.create(**{"sender": user(), "courier": user(), **values})


events = events_of


def stream(record: Delivery) -> Stream:
    return Stream.objects.get(topic=DeliveryFeed.topic(record.pk))


def story(record: Delivery) -> list[tuple[int, str]]:
    """Return version and status of each event."""
    return [(event.version, (event.state or {}).get("status", "gone")) for event in events(record)]
