"""Every service, once: a scene of its own, and the act. ``test_every_service_is_seen`` plays them all."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import count

from django.db import transaction

from games.league_of_legends import services as division
from games.league_of_legends.division import DivisionGame
from games.league_of_legends.ladder import Position
from orders import services as orders
from orders.models import BaseOrder
from orders.options import Options
from tests.people import Cast, order_of
from vault import services as vault
from wallet import services as wallet

_keys = count(1)
GOLD, MASTER = Position("Gold", 1, 0), Position("Master", None, 0)


@dataclass(frozen=True)
class Scene:
    """The order that is looked at; 0: the act makes it and returns it."""

    order_id: int
    act: Callable[[], object]


def running(people: Cast, act: Callable[[int], object]) -> Scene:
    """The order that the booster plays."""
    return Scene(people.order.pk, lambda: act(people.order.pk))


def offered(people: Cast, act: Callable[[int], object]) -> Scene:
    """A New order without a booster: every booster is a prospect."""
    order_id = order_of(people.client).pk
    return Scene(order_id, lambda: act(order_id))


def key() -> str:
    return f"act-{next(_keys)}"


def order_create(people: Cast) -> Scene:
    asked = {"title": "Silver IV to Gold IV", "actual_price": Decimal(50), "booster_price": Decimal(35)}
    given = {"options": Options(), "note": "", "booster": None, "idempotency_key": key(), "content": "all of it"}
    return Scene(0, lambda: orders.order_create(client=people.client, game=DivisionGame.slug, **asked, **given))


def order_claim(people: Cast) -> Scene:
    return offered(people, lambda order_id: orders.order_claim(order_id=order_id, booster=people.booster))


def order_assign(people: Cast) -> Scene:
    def act(order_id: int) -> BaseOrder:
        return orders.order_assign(order_id=order_id, booster=people.other_booster, by=people.manager)

    return offered(people, act)


def order_pause(people: Cast) -> Scene:
    return running(people, lambda order_id: orders.order_pause(order_id=order_id, by=people.client))


def order_resume(people: Cast) -> Scene:
    orders.order_pause(order_id=people.order.pk, by=people.booster)
    return running(people, lambda order_id: orders.order_resume(order_id=order_id, by=people.booster))


def order_report_progress(people: Cast) -> Scene:
    return running(
        people, lambda order_id: orders.order_report_progress(order_id=order_id, reached=GOLD, by=people.booster)
    )


def order_extend(people: Cast) -> Scene:
    def act(order_id: int) -> BaseOrder:
        return orders.order_extend(order_id=order_id, goal=MASTER, by=people.client, idempotency_key=key())

    return running(people, act)


def order_release(people: Cast) -> Scene:
    orders.order_report_progress(order_id=people.order.pk, reached=GOLD, by=people.booster)
    return running(people, lambda order_id: orders.order_release(order_id=order_id, by=people.booster))


def orders_release(people: Cast) -> Scene:
    other = orders.order_claim(order_id=order_of(people.other_client).pk, booster=people.booster)
    return running(people, lambda order_id: orders.orders_release(order_ids=[other.pk, order_id], by=people.manager))


def order_finish(people: Cast) -> Scene:
    return running(people, lambda order_id: orders.order_finish(order_id=order_id, by=people.manager))


def order_drop(people: Cast) -> Scene:
    return running(people, lambda order_id: orders.order_drop(order_id=order_id, by=people.admin, reason="Asked."))


def order_reprice(people: Cast) -> Scene:
    words = {"actual_price": Decimal("99.90"), "booster_price": Decimal("66.60"), "reason": "Asked."}
    return running(
        people,
        lambda order_id: orders.order_reprice(order_id=order_id, **words, by=people.manager, idempotency_key="asked"),
    )


def order_dispute(people: Cast) -> Scene:
    return running(
        people, lambda order_id: orders.order_dispute(order_id=order_id, by=people.client, reason="It went down.")
    )


def order_resolve(people: Cast) -> Scene:
    orders.order_report_progress(order_id=people.order.pk, reached=GOLD, by=people.booster)
    orders.order_dispute(order_id=people.order.pk, by=people.client, reason="It went down.")
    orders.order_finish(order_id=people.order.pk, by=people.manager)
    return running(
        people,
        lambda order_id: orders.order_resolve(
            order_id=order_id, outcome="refunded", by=people.manager, reason="Looked at."
        ),
    )


def order_write_note(people: Cast) -> Scene:
    return offered(people, lambda order_id: orders.order_write_note(order_id=order_id, note="Soon?", by=people.client))


def division_order_create(people: Cast) -> Scene:
    return Scene(0, lambda: order_of(people.client, booster=people.other_booster))


def division_order_report(people: Cast) -> Scene:
    return running(
        people, lambda order_id: division.division_order_report(order_id=order_id, reached=GOLD, by=people.booster)
    )


def division_order_extend(people: Cast) -> Scene:
    def act(order_id: int) -> object:
        return division.division_order_extend(
            order_id=order_id, desired=MASTER, by=people.manager, idempotency_key=key()
        )

    return running(people, act)


def posting(people: Cast, post: Callable[[BaseOrder], object]) -> Scene:
    """The ledger is written inside a step of the order: here a step that does nothing else."""

    @transaction.atomic
    def act(order_id: int) -> None:
        order = BaseOrder.objects.select_for_update().get(pk=order_id)
        order.settlement += 1
        order.save(update_fields=["settlement"])
        post(order)

    return running(people, act)


def payment_post(people: Cast) -> Scene:
    return posting(people, lambda order: wallet.payment_post(order=order, amount=Decimal("5.00")))


def payout_post(people: Cast) -> Scene:
    booster = people.booster
    return posting(people, lambda order: wallet.payout_post(order=order, booster=booster, amount=Decimal("5.00")))


def refund_post(people: Cast) -> Scene:
    return posting(people, lambda order: wallet.refund_post(order=order, amount=Decimal("5.00")))


def account_write(people: Cast) -> Scene:
    return running(
        people,
        lambda order_id: vault.account_write(order_id=order_id, login="carla", password="hunter2", by=people.client),
    )


def account_given(people: Cast, act: Callable[[int], object]) -> Scene:
    vault.account_write(order_id=people.order.pk, login="carla", password="hunter2", by=people.client)
    return running(people, act)


def account_read(people: Cast) -> Scene:
    return account_given(
        people, lambda order_id: vault.account_read(order_id=order_id, by=people.booster, address="192.0.2.7")
    )


def account_erase(people: Cast) -> Scene:
    return account_given(people, lambda order_id: vault.account_erase(order_id=order_id, by=people.client))
