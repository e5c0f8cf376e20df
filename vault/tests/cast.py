"""An order with account data, and its people."""

from accounts.models import Role
from accounts.tests.people import person
from orders.models import BaseOrder, Status
from orders.tests.stairs import order_made
from vault.models import GameAccount
from vault.services import account_write

LOGIN, PASSWORD, REMARKS = "log-in-of-carla", " pass: w0rd! ", "second factor 4711"
SECRETS = (LOGIN, PASSWORD.strip(), REMARKS)


def played() -> BaseOrder:
    """An order that its booster plays."""
    return order_made(status=Status.CONTINUE, booster_id=person(Role.BOOSTER).pk, title="0 4 10")


def given(order: BaseOrder) -> GameAccount:
    """Account data, given by the client of ``order``."""
    return account_write(order_id=order.pk, login=LOGIN, password=PASSWORD, remarks=REMARKS, by=order.client)
