"""Which kind of viewer somebody is of an order. Pure; the page, the services and the feed all ask here."""

from accounts.models import Role
from orders.models import Status

CLIENT = "client"
BOOSTER = "booster"
PROSPECT = "prospect"
MANAGER = "manager"
ADMIN = "admin"
STAFF = frozenset({MANAGER, ADMIN})


def audience_of(
    *, user_id: int | None, role: str | None, client_id: int | None, booster_id: int | None, status: str
) -> str | None:
    """Return the audience; ``None`` means that there is no such order for this user."""
    if user_id is None:
        return None
    if role in STAFF:
        return str(role)
    if role == Role.CLIENT and client_id == user_id:
        return CLIENT
    if role == Role.BOOSTER and booster_id == user_id:
        return BOOSTER
    if role == Role.BOOSTER and booster_id is None and status == Status.NEW:
        return PROSPECT
    return None
