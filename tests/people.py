"""A small cast for the stories: made by the services, as in life."""

from dataclasses import dataclass
from itertools import count

from accounts.models import Role, User
from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_create
from orders.models import BaseOrder
from orders.options import Options
from orders.services import order_claim

_numbers = count(1)


def person(role: Role, name: str = "") -> User:
    """Return a new user with ``role``."""
    return User.objects.create_user(username=name or f"{role}{next(_numbers)}", password="demo", role=role)


def order_of(client: User, *, goal: str = "Diamond", booster: User | None = None) -> BaseOrder:
    """Return a new, paid order of ``client`` from Silver IV up to ``goal`` IV."""
    return division_order_create(
        client=client,
        current=Position("Silver", 1, 0),
        desired=Position(goal, 1, 0),
        options=Options(),
        note="Evenings, please.",
        booster=booster,
        idempotency_key=f"key-{next(_numbers)}",
    ).order


@dataclass
class Cast:
    """A client and a booster with an order in progress, a manager, and two people who have nothing to do with it."""

    client: User
    booster: User
    manager: User
    admin: User
    other_client: User
    other_booster: User
    order: BaseOrder


def cast(**names: str) -> Cast:
    """Return the people, called as ``names`` says, or by their role and a number."""
    people = {
        "client": person(Role.CLIENT, names.get("client", "")),
        "booster": person(Role.BOOSTER, names.get("booster", "")),
        "manager": person(Role.MANAGER, names.get("manager", "")),
        "admin": person(Role.ADMIN, names.get("admin", "")),
        "other_client": person(Role.CLIENT, names.get("other_client", "")),
        "other_booster": person(Role.BOOSTER, names.get("other_booster", "")),
    }
    order = order_of(people["client"])
    return Cast(**people, order=order_claim(order_id=order.pk, booster=people["booster"]))
