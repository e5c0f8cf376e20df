"""People with an order, and their browsers."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import User
from orders.services import order_reprice
from realtime.testing import capture_at_once
from tests.people import Cast, cast

PRICE, PAYOUT = Decimal("123.45"), Decimal("67.89")  # no other number on a page looks like these


@pytest.fixture
def people(db: None) -> Cast:
    """A client and a booster with an order in progress at prices that are easy to find, staff, and strangers."""
    capture_at_once()
    found = cast()
    order_reprice(
        order_id=found.order.pk,
        actual_price=PRICE,
        booster_price=PAYOUT,
        reason="A round price.",
        by=found.manager,
        idempotency_key="a round price",
    )
    found.order.refresh_from_db()
    return found


@pytest.fixture
def browser_of() -> Callable[[User | None], Client]:
    """Return a browser in which somebody is logged in."""

    def browser(user: User | None) -> Client:
        made = Client()
        if user is not None:
            made.force_login(user)
        return made

    return browser
