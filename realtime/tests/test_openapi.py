"""The document says what the addresses answer."""

from realtime import openapi
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.urls import urlpatterns


def test_each_address_is_in_the_document() -> None:
    paths = openapi.paths(DeliveryFeed, prefix="")
    ours = [pattern.pattern.regex.pattern for pattern in urlpatterns]
    written = {text.strip("^$").replace("(?P<key>[^/]*)", "{key}") for text in ours if "deliveries" in text}
    assert written == paths.keys()


def test_names_come_from_the_feed() -> None:
    answer = openapi.paths(DeliveryFeed, prefix="/api/")["/api/deliveries/sync"]["post"]["responses"]["200"]
    assert "deliveries" in answer["content"]["application/json"]["schema"]["properties"]
