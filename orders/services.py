"""What can be done to an order.

Each service locks the order row first, asks the transition table, and says in ``message`` what happened: a sentence
with no price and no name, because every viewer reads it. A refusal is an ``OrderError`` and changes nothing.
"""

from collections.abc import Collection
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from accounts.models import Role, User
from accounts.standing import standing_lock
from orders.exceptions import (
    BadText,
    NotAllowed,
    NotDisputed,
    NothingHeld,
    OrderNotFound,
    OrderTaken,
    WrongRole,
)
from orders.games import game_of
from orders.goal import dispute_check, goal_check
from orders.locks import order_lock, order_step, orders_lock, retry_on_deadlock
from orders.models import BaseOrder, Decision, Dispute, Outcome
from orders.money import amount_check
from orders.options import Options
from orders.posts import post_find, post_record, posted
from orders.prices import reprice_check
from orders.settlements import payout_for_part, price_of_work, settle, settle_held
from orders.texts import text_check


@transaction.atomic
def order_create(
    *,
    client: User,
    game: str,
    title: str,
    actual_price: Decimal,
    booster_price: Decimal,
    options: Options,
    note: str,
    booster: User | None,
    idempotency_key: str,
    content: object,
) -> BaseOrder:
    """Return a new, paid order; the one made earlier when the same request is sent again.

    A game calls this and adds its row. ``content`` is what was asked for, in the game's words.
    """
    note = text_check(note, what="The note", limit=1000)
    post = post_find(
        sender=client, key=idempotency_key, content=("create", game, content, options, note, booster and booster.pk)
    )
    if client.role != Role.CLIENT:
        raise NotAllowed("Orders are placed by clients. Log in with a client's account.")
    if post.pk:
        return post.order
    if booster:
        _booster_check(booster)
    order = BaseOrder.objects.create(
        client=client,
        booster=booster,
        game=game,
        title=title,
        actual_price=amount_check(actual_price, what="The price"),
        booster_price=amount_check(booster_price, what="The payout"),
        note=note,
        message="The order was placed and paid.",
        duo=options.duo,
        streaming=options.streaming,
        turbo=options.turbo,
    )
    settle(order, payment=order.actual_price)
    order.save()
    post_record(post=post, order=order)
    return order


def order_claim(*, order_id: int, booster: User) -> BaseOrder:
    """Give a New order to the booster who asks first; everybody after him gets ``OrderTaken``."""
    try:
        with order_step("claim", order_id=order_id, by=booster) as order:
            order.booster = booster
            order.message = "A booster has taken the order."
    except OrderNotFound:
        raise OrderTaken(order_id) from None
    return order


def order_assign(*, order_id: int, booster: User, by: User) -> BaseOrder:
    """Give a New order to ``booster``, also when the client chose another one."""
    with order_step("assign", order_id=order_id, by=by) as order:
        _booster_check(booster)
        if booster.pk == order.client_id:
            raise WrongRole("Nobody plays the order that he bought himself. Choose another booster.")
        order.booster = booster
        order.message = "A manager has assigned a booster."
    return order


def order_pause(*, order_id: int, by: User) -> BaseOrder:
    """Stop play until somebody resumes it."""
    with order_step("pause", order_id=order_id, by=by) as order:
        order.message = "The order is paused."
    return order


def order_resume(*, order_id: int, by: User) -> BaseOrder:
    """Go on with a paused order."""
    with order_step("resume", order_id=order_id, by=by) as order:
        order.message = "The order goes on."
    return order


def order_report_progress(*, order_id: int, reached: object, by: User) -> BaseOrder:
    """Store how far the booster has got; an extended order is Continue again.

    ``reached`` is a place of the order's game, which refuses to go back or past the goal.
    """
    with order_step("report", order_id=order_id, by=by) as order:
        goal_check("report", order, by)
        order.message = game_of(order).reach(order, reached)
    return order


@transaction.atomic
def order_extend(*, order_id: int, goal: object, by: User, idempotency_key: str) -> BaseOrder:
    """Raise the goal, both prices with it, and take the client's payment; once for each key."""
    order = order_lock(order_id=order_id, by=by)
    post = post_find(sender=by, key=idempotency_key, content=("extend", order_id, goal))
    if post.pk:
        return order
    with order_step("extend", order_id=order_id, by=by) as order:
        extra = game_of(order).raise_goal(order, goal)
        actual_price = amount_check(order.actual_price + extra.actual_price, what="The new price")
        booster_price = amount_check(order.booster_price + extra.booster_price, what="The new payout")
        settle(order, payment=extra.actual_price)
        order.actual_price, order.booster_price = actual_price, booster_price
        order.title = extra.title
        order.message = "The order has a higher goal."
    post_record(post=post, order=order)
    return order


@posted("release")
def order_release(*, order_id: int, by: User) -> BaseOrder:
    """Take the order from its booster, pay him the part done, and offer the rest to others."""
    with order_step("release", order_id=order_id, by=by) as order:
        goal_check("release", order, by)
        worked, due = price_of_work(order), payout_for_part(order)
        settle(order, payout=due, worked=worked, released=True)
        order.worked_price = worked
        order.booster_price -= due
        order.paid_out += due
        order.booster = None
        order.message = "The order is available again, from where it has got to."
        order.title = game_of(order).restart(order)
    return order


@retry_on_deadlock
@transaction.atomic
def orders_release(*, order_ids: Collection[int], by: User) -> list[BaseOrder]:
    """Release several orders in one transaction: all of them, or none."""
    orders = orders_lock(order_ids=order_ids, by=by)
    return [order_release(order_id=order.pk, by=by) for order in orders]


@posted("finish")
def order_finish(*, order_id: int, by: User) -> BaseOrder:
    """End the order as Done and pay the rest of the payout. A booster can do so at 100 %."""
    with order_step("finish", order_id=order_id, by=by) as order:
        goal_check("finish", order, by)
        settle(order, payout=order.booster_price)
        order.worked_price = order.actual_price
        order.message = "The order is done."
    return order


@posted("drop")
def order_drop(*, order_id: int, by: User, reason: str = "") -> BaseOrder:
    """End the order as Dropped: pay for the part done and give the client the rest back.

    Staff needs a reason; a client who drops his New order does not.
    """
    with order_step("drop", order_id=order_id, by=by) as order:
        _decide(order, "drop", by, reason, required=by.role != Role.CLIENT)
        worked = price_of_work(order)
        settle(order, payout=payout_for_part(order), worked=worked, refund=order.actual_price - worked)
        order.worked_price = worked
        order.message = "The order was dropped."
    return order


@transaction.atomic
def order_reprice(
    *,
    order_id: int,
    actual_price: Decimal,
    booster_price: Decimal,
    reason: str,
    by: User,
    idempotency_key: str,
    seen: tuple[Decimal, Decimal] | None = None,
) -> BaseOrder:
    """Set both prices; the client pays or gets back the difference at once; once for each key.

    ``seen`` are the prices that ``by`` had before his eyes: with others by now, nothing is decided over his head.
    """
    order = order_lock(order_id=order_id, by=by)
    content = ("reprice", order_id, actual_price, booster_price, reason)
    post = post_find(sender=by, key=idempotency_key, content=content)
    if post.pk:
        return order
    with order_step("reprice", order_id=order_id, by=by) as order:
        actual_price = amount_check(actual_price, what="The price")
        booster_price = amount_check(booster_price, what="The payout")
        reprice_check(order, actual_price=actual_price, booster_price=booster_price, seen=seen)
        _decide(order, "reprice", by, reason, required=True)
        difference = actual_price - order.actual_price
        settle(order, payment=max(difference, Decimal(0)), refund=max(-difference, Decimal(0)))
        order.actual_price, order.booster_price = actual_price, booster_price
        order.message = "A manager has changed the price."
    post_record(post=post, order=order)
    return order


def order_dispute(*, order_id: int, by: User, reason: str) -> BaseOrder:
    """Hold every payout of the order from now on, until a manager resolves the dispute."""
    with order_step("dispute", order_id=order_id, by=by) as order:
        dispute_check("dispute", order)
        words = text_check(reason, what="The reason", limit=500, required=True)
        Dispute.objects.create(order=order, by=by, reason=words)
        order.disputed = True
        order.message = "A dispute was opened: payouts are held until a manager decides."
    return order


@posted("resolve")
def order_resolve(*, order_id: int, outcome: str, reason: str, by: User, dispute: int | None = None) -> BaseOrder:
    """End the dispute: pay out what it has held, or give the client his price of those parts back. Once.

    A refund is refused while boosters would come to get more than the client pays: the payout is lowered first.
    ``dispute`` is the number of the one that ``by`` has read: another one is not decided in its place.
    """
    with order_step("resolve", order_id=order_id, by=by) as order:
        dispute_check("resolve", order)
        if dispute is not None and not order.disputes.filter(pk=dispute, outcome="").exists():
            raise NotDisputed(f"Order {order.pk} has another dispute by now. Read it first.")
        if outcome not in Outcome.values:
            raise BadText(f"The outcome is one of: {', '.join(Outcome.values)}.")
        _decide(order, "resolve", by, reason, required=True)
        order.disputed = False
        moved = settle_held(order, outcome=Outcome(outcome))
        if outcome == Outcome.REFUNDED and not moved:
            raise NothingHeld("No payout is held. Release, finish or drop the order first, or change its price.")
        Dispute.objects.filter(order=order, outcome="").update(
            outcome=outcome, resolved_by=by, resolved_at=timezone.now()
        )
        order.message = "A manager has decided the dispute."
    return order


def order_write_note(*, order_id: int, note: str, by: User) -> BaseOrder:
    """Store the client's words for his booster."""
    with order_step("write_note", order_id=order_id, by=by) as order:
        order.note = text_check(note, what="The note", limit=1000)
        order.message = "The note was changed."
    return order


def _booster_check(booster: User) -> None:
    # Twice: no row is locked of who is no booster, and he may have been disabled since he was read.
    if not (_can_play(booster) and _can_play(standing_lock(booster))):
        raise WrongRole("Only an active booster can play an order. Choose one from the list of boosters.")


def _can_play(user: User) -> bool:
    return user.is_active and user.role == Role.BOOSTER


def _decide(order: BaseOrder, verb: str, by: User, reason: str, *, required: bool) -> None:
    words = text_check(reason, what="The reason", limit=500, required=required)
    if words:
        Decision.objects.create(order=order, by=by, verb=verb, reason=words)
