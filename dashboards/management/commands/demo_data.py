"""People and orders to look at."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import Role, User
from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_create, division_order_extend, division_order_report
from orders.models import Post
from orders.options import Options
from orders.services import (
    order_assign,
    order_claim,
    order_dispute,
    order_drop,
    order_finish,
    order_pause,
    order_release,
    order_reprice,
)
from vault.services import account_read, account_write

PASSWORD = "demo"  # noqa: S105 # nosec B105 - it is printed at every start
CLIENTS = ("client", "clara", "carlos", "chen")
BOOSTERS = ("booster", "bela", "bruno", "bianca")
PEOPLE = {
    **dict.fromkeys(CLIENTS, Role.CLIENT),
    **dict.fromkeys(BOOSTERS, Role.BOOSTER),
    "manager": Role.MANAGER,
    "admin": Role.ADMIN,
}
People = dict[str, User]
PLAIN = Options()


@dataclass(frozen=True)
class Story:
    """One order: who wants what, and what has happened to it since."""

    client: str
    current: Position
    desired: Position
    then: Callable[[int, People], object] = lambda order_id, people: None
    options: Options = PLAIN
    note: str = ""
    booster: str | None = None
    account: tuple[str, str, str] | None = None


def taken(name: str, *reached: Position) -> Callable[[int, People], None]:
    """Claimed by ``name``, who has got to each of ``reached``."""

    def play(order_id: int, people: People) -> None:
        order_claim(order_id=order_id, booster=people[name])
        for place in reached:
            division_order_report(order_id=order_id, reached=place, by=people[name])

    return play


def shown_and_taken(order_id: int, people: People) -> None:
    taken("booster", Position("Gold", 3, 2))(order_id, people)
    account_read(order_id=order_id, by=people["booster"], address="127.0.0.1")
    for place in (Position("Gold", 4), Position("Platinum", 1, 1)):
        division_order_report(order_id=order_id, reached=place, by=people["booster"])


def paused(order_id: int, people: People) -> None:
    taken("bela", Position("Silver", 2, 4))(order_id, people)
    order_pause(order_id=order_id, by=people["clara"])


def done(order_id: int, people: People) -> None:
    taken("booster", Position("Bronze", 3), Position("Bronze", 4))(order_id, people)
    order_finish(order_id=order_id, by=people["booster"])


def extended(order_id: int, people: People) -> None:
    taken("bruno", Position("Emerald", 2))(order_id, people)
    division_order_extend(
        order_id=order_id,
        desired=Position("Diamond", 2),
        by=people["carlos"],
        idempotency_key=f"demo.extend.{order_id}",
    )


def released(order_id: int, people: People) -> None:
    taken("bianca", Position("Gold", 2, 3))(order_id, people)
    order_release(order_id=order_id, by=people["bianca"])


def dropped(order_id: int, people: People) -> None:
    order_assign(order_id=order_id, booster=people["bruno"], by=people["manager"])
    division_order_report(order_id=order_id, reached=Position("Iron", 2), by=people["bruno"])
    order_drop(order_id=order_id, by=people["manager"], reason="The client sold the account.")


def repriced(order_id: int, people: People) -> None:
    order_reprice(
        order_id=order_id,
        actual_price=Decimal("79.00"),
        booster_price=Decimal("58.00"),
        reason="A discount for a regular client.",
        by=people["manager"],
        idempotency_key=f"demo.reprice.{order_id}",
    )


def disputed(order_id: int, people: People) -> None:
    taken("bianca", Position("Bronze", 2, 5))(order_id, people)
    order_dispute(order_id=order_id, by=people["clara"], reason="Two games were played while I was logged in.")
    order_release(order_id=order_id, by=people["bianca"])
    order_assign(order_id=order_id, booster=people["bela"], by=people["manager"])


STORIES = {
    "demo.1": Story(
        "client",
        Position("Gold", 2),
        Position("Diamond", 1),
        shown_and_taken,
        Options(duo=True),
        "Evenings after six, please; I play support.",
        "booster",
        ("summoner-of-client", "demo account password", "EU West, no second factor"),
    ),
    "demo.2": Story("client", Position("Bronze", 1), Position("Bronze", 4), done),
    "demo.3": Story("client", Position("Platinum", 1), Position("Emerald", 1), options=Options(turbo=True)),
    "demo.4": Story("clara", Position("Silver", 1, 3), Position("Gold", 2), paused, note="Not on Mondays."),
    "demo.5": Story("clara", Position("Diamond", 3), Position("Master", None), options=Options(streaming=True)),
    "demo.6": Story("clara", Position("Iron", 3), Position("Silver", 1), disputed),
    "demo.7": Story("carlos", Position("Emerald", 1), Position("Diamond", 1), extended),
    "demo.8": Story(
        "carlos", Position("Gold", 1), Position("Platinum", 3), released, Options(duo=True, streaming=True)
    ),
    "demo.9": Story("carlos", Position("Silver", 4), Position("Platinum", 1), repriced),
    "demo.10": Story("chen", Position("Iron", 1), Position("Bronze", 1), dropped),
    "demo.11": Story("chen", Position("Master", None, 2), Position("Grandmaster", None), taken("bela")),
    "demo.12": Story("chen", Position("Platinum", 4), Position("Diamond", 4), booster="bianca", note="Only Bianca."),
    "demo.13": Story("chen", Position("Bronze", 2), Position("Gold", 1), taken("bruno", Position("Silver", 3, 1))),
}


def people_make() -> People:
    """Return the demo accounts, made where they are missing; refuse where strangers could use them."""
    if not settings.DEBUG:
        raise CommandError(
            "The demo accounts have a password that everybody knows, and one of them is a superuser: they are made "
            "with DEBUG=1 alone. To look around, use ./dev run. Here, make an admin with: manage.py createsuperuser"
        )
    people = {}
    for name, role in PEOPLE.items():
        user = User.objects.filter(username=name).first()
        if user is None:
            make = User.objects.create_superuser if role == Role.ADMIN else User.objects.create_user
            user = make(name, f"{name}@example.org", PASSWORD, role=role)
        people[name] = user
    return people


class Command(BaseCommand):
    help = "Make the demo accounts (password: demo) and a dozen orders, where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        people = people_make()
        made = sum(self.tell(key, story, people) for key, story in STORIES.items())
        self.stdout.write(f"{len(people)} accounts, {made} new orders.")

    def tell(self, key: str, story: Story, people: People) -> bool:
        """Make the order of ``story``, with all that happened to it, unless it was made before.

        Each step commits by itself, as in life: the order has a history.
        """
        client = people[story.client]
        if Post.objects.filter(sender=client, key=key).exists():
            return False
        division = division_order_create(
            client=client,
            current=story.current,
            desired=story.desired,
            options=story.options,
            note=story.note,
            booster=people[story.booster] if story.booster else None,
            idempotency_key=key,
        )
        if story.account:
            words = dict(zip(("login", "password", "remarks"), story.account, strict=True))
            account_write(order_id=division.order_id, **words, by=client)
        story.then(division.order_id, people)
        return True
