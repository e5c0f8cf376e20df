"""Who plays in the soak: ``python -m tests.soak.cast`` makes the people and their first orders, and prints them.

Each client's name and note, and every price, is a canary: where it may not be seen, its text is looked for.
"""

import json
import random
from dataclasses import asdict, dataclass

CANARY = "canary"
CLIENTS, BOOSTERS, MANAGERS, ADMINS, ORDERS = 30, 15, 4, 2, 80


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a role and a session."""

    id: int
    role: str
    session: str


def make() -> list[Person]:
    """Make everybody and their orders; return the people."""
    from accounts.models import Role, User
    from tests.server import session_of

    numbers = {Role.CLIENT: CLIENTS, Role.BOOSTER: BOOSTERS, Role.MANAGER: MANAGERS, Role.ADMIN: ADMINS}
    users = [
        User.objects.create_user(username=f"{CANARY}-{role}-{number}", password=None, role=role)
        for role, many in numbers.items()
        for number in range(many)
    ]
    dice = random.Random(1)
    clients = [user for user in users if user.role == Role.CLIENT]
    boosters = [user for user in users if user.role == Role.BOOSTER]
    for number in range(ORDERS):
        order_id = new_order(clients[number % len(clients)], f"cast-{number}", dice)
        if number % 3:
            begin(order_id, dice.choice(boosters))
    return [Person(user.pk, user.role, session_of(user)) for user in users]


def new_order(client: object, key: str, dice: random.Random) -> int:
    """Place an order as its client does; its price is one of many."""
    from games.league_of_legends.ladder import Position
    from games.league_of_legends.services import division_order_create
    from orders.options import Options

    current = Position(dice.choice(("Iron", "Bronze", "Silver")), dice.randint(1, 4), dice.randint(0, 5))
    desired = Position(dice.choice(("Platinum", "Emerald", "Diamond")), dice.randint(1, 4), 0)
    return division_order_create(
        client=client,  # type: ignore[arg-type]
        current=current,
        desired=desired,
        options=Options(),
        note=f"{CANARY}-note {key}",
        idempotency_key=key,
    ).order_id


def begin(order_id: int, booster: object) -> None:
    from orders.services import order_claim

    order_claim(order_id=order_id, booster=booster)  # type: ignore[arg-type]


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from realtime import relay

    call_command("migrate", verbosity=0)
    people = make()
    relay.rest(60)
    print(json.dumps([asdict(person) for person in people]))


if __name__ == "__main__":
    main()
