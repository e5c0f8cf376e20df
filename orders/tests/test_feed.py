"""Who sees what: the table of the protocol, written down a second time."""

import pytest

from orders.feeds import OrderFeed
from realtime.feeds import Viewer

FOR_ALL = {
    "status", "progress", "booster_id", "booster_username", "reached_rank", "reached_division", "reached_marks",
    "message", "game", "title", "created_at", "disputed",
}  # fmt: skip
CLIENTS_WORDS = {"note", "client_username"}
PAYMENT = {"actual_price", "last_payment"}
PAYOUT = {"booster_price", "last_payout"}
GATES = {"client_id": 1, "booster_id": 2, "status": "Continue"}
FREE = {"client_id": 1, "booster_id": None, "status": "New"}


@pytest.mark.parametrize(
    ("audience", "sees"),
    [
        ("client", CLIENTS_WORDS | PAYMENT),
        ("booster", CLIENTS_WORDS | PAYOUT),
        ("prospect", {"booster_price"}),
        ("manager", CLIENTS_WORDS | PAYMENT | PAYOUT),
        ("admin", CLIENTS_WORDS | PAYMENT | PAYOUT),
    ],
)
def test_each_audience_sees_its_fields(audience, sees):
    assert OrderFeed.shown(audience) == FOR_ALL | sees


def test_a_stranger_audience_sees_nothing():
    assert OrderFeed.shown("stranger") == set()


def test_opened_the_participants_see_both_prices(settings):
    settings.REALTIME = {**settings.REALTIME, "VISIBILITY": "open"}
    both = {"actual_price", "booster_price"}
    assert OrderFeed.shown("client") == FOR_ALL | CLIENTS_WORDS | PAYMENT | both
    assert OrderFeed.shown("booster") == FOR_ALL | CLIENTS_WORDS | PAYOUT | both
    assert OrderFeed.shown("prospect") == FOR_ALL | {"booster_price"}


def test_the_fields_are_in_the_order_of_the_protocol():
    assert list(OrderFeed.fields) == [
        "status", "progress", "booster_price", "actual_price", "booster_id", "booster_username", "reached_rank",
        "reached_division", "reached_marks", "message", "game", "title", "note", "created_at", "client_username",
        "last_payment", "last_payout", "disputed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("viewer", "gates", "audience"),
    [
        (Viewer(9, "client"), GATES, None),
        (Viewer(9, "booster"), GATES, None),
        (Viewer(9, ""), GATES, None),
        (Viewer(None, "admin"), GATES, None),
        (Viewer(2, "client"), GATES, None),
        (Viewer(1, "booster"), GATES, None),
        (Viewer(9, "client"), FREE, None),
        (Viewer(9, "booster"), FREE | {"status": "Dropped"}, None),
        (Viewer(9, "booster"), FREE | {"booster_id": 2}, None),
        (Viewer(1, "client"), GATES, "client"),
        (Viewer(2, "booster"), GATES, "booster"),
        (Viewer(9, "booster"), FREE, "prospect"),
        (Viewer(9, "manager"), GATES, "manager"),
        (Viewer(9, "admin"), GATES, "admin"),
    ],
)
def test_the_audience_of_a_viewer(viewer, gates, audience):
    assert OrderFeed.audience(viewer, gates) == audience
