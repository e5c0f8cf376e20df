"""The frame that a page is drawn from is the one that a socket of the same viewer would get first."""

import pytest

from realtime import log
from realtime.feeds import Viewer
from realtime.head import frames_for
from realtime.masking import frame_for
from realtime.models import Stream
from realtime.testing import capture_at_once
from realtime.tests.deliveries.feeds import DeliveryFeed
from realtime.tests.people import delivery, user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def captured(db: None) -> None:
    capture_at_once()


def test_a_stranger_gets_nothing_and_cannot_tell_it_from_what_is_missing() -> None:
    records = [delivery(), delivery()]
    keys = [record.pk for record in records]
    records[1].delete()
    assert frames_for(DeliveryFeed, keys, Viewer(user().pk)) == {}


def test_each_viewer_gets_his_own_frame_and_the_price_is_not_the_couriers() -> None:
    record = delivery(price="12.50")
    (update,) = log.states([DeliveryFeed.topic(record.pk)]).values()
    for viewer, audience in ((record.sender_id, "sender"), (record.courier_id, "courier")):
        assert frames_for(DeliveryFeed, [record.pk], Viewer(viewer)) == {record.pk: frame_for(update, audience)}
    assert frames_for(DeliveryFeed, [record.pk], Viewer(record.courier_id))[record.pk]["price"] is None


def test_only_the_records_that_he_may_see_are_in_it() -> None:
    own, foreign = delivery(), delivery()
    assert list(frames_for(DeliveryFeed, [foreign.pk, own.pk], Viewer(own.sender_id))) == [own.pk]


def test_a_record_that_is_older_than_the_log_is_there_too() -> None:
    record = delivery()
    Stream.objects.all().delete()
    assert frames_for(DeliveryFeed, [record.pk], Viewer(record.sender_id))[record.pk]["version"] == 0
