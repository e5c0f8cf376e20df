"""What the database refuses, whoever writes."""

import pytest
from django.db import IntegrityError

from orders.models import BaseOrder
from orders.tests.stairs import order_made

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("constraint", "wrong"),
    [
        ("order_status_", {"status": "Open"}),
        ("order_status_has_booster", {"status": "Continue"}),
        ("order_status_has_booster", {"status": "Done"}),
        ("order_actual_price_not_negative", {"actual_price": -1}),
        ("order_booster_price_not_negative", {"booster_price": -1}),
        ("order_paid_out_not_negative", {"paid_out": -1}),
        ("order_worked_price_within_price", {"worked_price": 101}),
    ],
)
def test_the_database_refuses(constraint, wrong):
    order = order_made()
    with pytest.raises(IntegrityError, match=constraint):
        BaseOrder.objects.filter(pk=order.pk).update(**wrong)


def test_the_database_refuses_a_client_who_boosts_himself():
    order = order_made()
    with pytest.raises(IntegrityError, match="order_booster_is_not_client"):
        BaseOrder.objects.filter(pk=order.pk).update(booster=order.client)
