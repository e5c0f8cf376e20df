"""What the soak's writers do: every service, and every way around them."""

import random
from collections.abc import Callable
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import F

from accounts.models import Role, User
from games.league_of_legends.ladder import Position, position_at
from games.league_of_legends.models import LeagueOfLegendsDivisionOrder
from orders import services
from orders.models import OPEN, BaseOrder, Status
from tests.soak.cast import CANARY, new_order

UNDONE = "this was rolled back"
"""Words of work that no viewer may ever see."""


class Undone(Exception):
    """The writer changes his mind."""


class Hand:
    """A writer's dice, and the people and orders that fall to him."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.dice, self._number = name, random.Random(seed), 0
        self.users: dict[str, list[User]] = {role: list(User.objects.filter(role=role)) for role in Role.values}

    def key(self) -> str:
        self._number += 1
        return f"{self.name}-{self._number}"

    def note(self) -> str:
        return f"{CANARY}-note {self.key()}"

    def price(self) -> Decimal:
        return Decimal(self.dice.randint(100_000, 9_999_999)) / 100

    def somebody(self, role: str) -> User:
        return self.dice.choice(self.users[role])

    def client_of(self, order: BaseOrder) -> User:
        return User.objects.get(pk=order.client_id)

    def player_of(self, order: BaseOrder) -> User:
        """The order's booster; another one, who is refused, where it has none."""
        return User.objects.get(pk=order.booster_id) if order.booster_id else self.somebody(Role.BOOSTER)

    def order(self, *statuses: str) -> BaseOrder | None:
        """An order at random, with one of ``statuses`` where there is any."""
        return BaseOrder.objects.filter(status__in=statuses or OPEN).order_by("?").first()


Act = Callable[[Hand, BaseOrder], object]
ACTS: list[tuple[int, tuple[str, ...], Act]] = []
"""How often, on orders in which statuses, what."""


def act(weight: int, *statuses: str) -> Callable[[Act], Act]:
    def added(done: Act) -> Act:
        ACTS.append((weight, statuses, done))
        return done

    return added


@act(8, Status.NEW)
def order_claim(hand: Hand, order: BaseOrder) -> object:
    return services.order_claim(order_id=order.pk, booster=hand.somebody(Role.BOOSTER))


@act(4, Status.NEW)
def order_assign(hand: Hand, order: BaseOrder) -> object:
    by = hand.somebody(Role.MANAGER)
    return services.order_assign(order_id=order.pk, booster=hand.somebody(Role.BOOSTER), by=by)


@act(6, Status.CONTINUE)
def order_pause(hand: Hand, order: BaseOrder) -> object:
    return services.order_pause(order_id=order.pk, by=hand.client_of(order))


@act(6, Status.PAUSED)
def order_resume(hand: Hand, order: BaseOrder) -> object:
    return services.order_resume(order_id=order.pk, by=hand.player_of(order))


@act(14, Status.CONTINUE, Status.EXTEND)
def order_report_progress(hand: Hand, order: BaseOrder) -> object:
    division = LeagueOfLegendsDivisionOrder.objects.get(order=order)
    reached = position_at(min(division.reached.band + hand.dice.randint(1, 4), division.desired.band))
    return services.order_report_progress(order_id=order.pk, reached=reached, by=hand.player_of(order))


@act(3, Status.CONTINUE, Status.PAUSED)
def order_extend(hand: Hand, order: BaseOrder) -> object:
    goal = Position(hand.dice.choice(("Master", "Grandmaster", "Challenger")), None, 0)
    by = hand.client_of(order)
    return services.order_extend(order_id=order.pk, goal=goal, by=by, idempotency_key=hand.key())


@act(5, Status.CONTINUE, Status.PAUSED)
def order_release(hand: Hand, order: BaseOrder) -> object:
    return services.order_release(order_id=order.pk, by=hand.player_of(order))


@act(2, Status.CONTINUE, Status.PAUSED)
def orders_release(hand: Hand, order: BaseOrder) -> object:
    other = hand.order(Status.CONTINUE) or order
    return services.orders_release(order_ids={order.pk, other.pk}, by=hand.somebody(Role.MANAGER))


@act(1, Status.CONTINUE, Status.EXTEND)
def order_finish(hand: Hand, order: BaseOrder) -> object:
    return services.order_finish(order_id=order.pk, by=hand.somebody(Role.MANAGER))


@act(1)
def order_drop(hand: Hand, order: BaseOrder) -> object:
    return services.order_drop(order_id=order.pk, by=hand.somebody(Role.ADMIN), reason="The soak asked.")


@act(4)
def order_reprice(hand: Hand, order: BaseOrder) -> object:
    payout = hand.price()
    prices = {"actual_price": order.worked_price + order.paid_out + payout, "booster_price": payout}
    by = hand.somebody(Role.MANAGER)
    return services.order_reprice(order_id=order.pk, **prices, reason="Asked.", by=by, idempotency_key=hand.key())


@act(6)
def order_write_note(hand: Hand, order: BaseOrder) -> object:
    return services.order_write_note(order_id=order.pk, note=hand.note(), by=hand.client_of(order))


@act(2)
def order_create(hand: Hand, order: BaseOrder) -> object:
    return new_order(hand.somebody(Role.CLIENT), hand.key(), hand.dice)


# -- Around the services.


@act(8)
def update(hand: Hand, order: BaseOrder) -> object:
    return BaseOrder.objects.filter(pk=order.pk).update(booster_price=hand.price(), note=hand.note())


@act(4, Status.CONTINUE, Status.PAUSED, Status.EXTEND)
def reassign(hand: Hand, order: BaseOrder) -> object:
    """Another booster has the order from one statement to the next."""
    return BaseOrder.objects.filter(pk=order.pk, booster__isnull=False).update(booster=hand.somebody(Role.BOOSTER))


@act(1)
def sell(hand: Hand, order: BaseOrder) -> object:
    """Another client has the order."""
    return BaseOrder.objects.filter(pk=order.pk).update(client=hand.somebody(Role.CLIENT))


@act(6)
def sql(hand: Hand, order: BaseOrder) -> object:
    with connection.cursor() as cursor:
        return cursor.execute(
            "UPDATE orders_baseorder SET actual_price = actual_price + 0.01, message = %s WHERE id = %s",
            [f"by SQL {hand.key()}", order.pk],
        )


@act(2)
def sql_moves_progress(hand: Hand, order: BaseOrder) -> object:
    with connection.cursor() as cursor:
        return cursor.execute(
            f'UPDATE "{LeagueOfLegendsDivisionOrder._meta.db_table}" SET progress_percent = %s WHERE order_id = %s',
            [hand.dice.randint(0, 99), order.pk],
        )


@act(3)
def bulk_update(hand: Hand, order: BaseOrder) -> object:
    """Several orders in one statement, locked in key order as everybody does."""
    with transaction.atomic():
        keys = list(BaseOrder.objects.filter(status__in=OPEN).order_by("?").values_list("pk", flat=True)[:5])
        locked = BaseOrder.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
        orders = list(locked)
        for each in orders:
            each.message = f"in bulk {hand.key()}"
        return BaseOrder.objects.bulk_update(orders, ["message"])


@act(1)
def bulk_create(hand: Hand, order: BaseOrder) -> object:
    """Orders without a game's row, one of which goes again."""
    client = hand.somebody(Role.CLIENT)
    made = BaseOrder.objects.bulk_create(
        BaseOrder(client=client, game="none", title="In bulk", actual_price=hand.price(), booster_price=hand.price())
        for _ in range(2)
    )
    return BaseOrder.objects.filter(pk=made[0].pk).delete() if hand.dice.random() < 0.5 else None


@act(1, Status.NEW)
def delete(hand: Hand, order: BaseOrder) -> object:
    """An order that nothing is tied to."""
    return BaseOrder.objects.filter(game="none", status=Status.NEW).order_by("pk")[:1].get().delete()


@act(2)
def rename(hand: Hand, order: BaseOrder) -> object:
    """A related row: every order that shows the name follows by sweep."""
    user = hand.client_of(order) if hand.dice.random() < 0.5 else hand.player_of(order)
    return User.objects.filter(pk=user.pk).update(username=f"{CANARY}-{user.role}-{user.pk}-{hand.key()}")


@act(5)
def roll_back(hand: Hand, order: BaseOrder) -> object:
    try:
        with transaction.atomic():
            BaseOrder.objects.filter(pk=order.pk).update(message=UNDONE)
            raise Undone
    except Undone:
        return None


@act(4)
def roll_back_to_savepoint(hand: Hand, order: BaseOrder) -> object:
    with transaction.atomic():
        BaseOrder.objects.filter(pk=order.pk).update(booster_price=F("booster_price") + 1)
        try:
            with transaction.atomic():
                BaseOrder.objects.filter(pk=order.pk).update(message=UNDONE, note=UNDONE)
                raise Undone
        except Undone:
            return BaseOrder.objects.filter(pk=order.pk).update(message=f"after a savepoint {hand.key()}")


@act(2)
def there_and_back(hand: Hand, order: BaseOrder) -> object:
    """A → B → A in one transaction leaves nothing."""
    with transaction.atomic():
        BaseOrder.objects.filter(pk=order.pk).update(booster_price=F("booster_price") + 1, message=UNDONE)
        return BaseOrder.objects.filter(pk=order.pk).update(booster_price=F("booster_price") - 1, message=order.message)


@act(3)
def save(hand: Hand, order: BaseOrder) -> object:
    with transaction.atomic():
        locked = BaseOrder.objects.select_for_update(no_key=True).get(pk=order.pk)
        locked.message = f"by save {hand.key()}"
        return locked.save()


def one(hand: Hand) -> str:
    """Do one act at random; return its name, '' where there was nothing to do it to."""
    weights = [weight for weight, _, _ in ACTS]
    _, statuses, done = hand.dice.choices(ACTS, weights)[0]
    order = hand.order(*statuses)
    if order is None:
        return ""
    done(hand, order)
    return getattr(done, "__name__", "act")


def refill(hand: Hand, least: int) -> None:
    """Place orders until ``least`` are open: the others were finished."""
    if BaseOrder.objects.filter(status__in=OPEN).count() < least:
        new_order(hand.somebody(Role.CLIENT), hand.key(), hand.dice)


def sparse(hand: Hand, most: int) -> None:
    """Finish orders while more than ``most`` are open."""
    if BaseOrder.objects.filter(status__in=OPEN).count() > most and (order := hand.order(Status.CONTINUE)):
        services.order_finish(order_id=order.pk, by=hand.somebody(Role.MANAGER))
