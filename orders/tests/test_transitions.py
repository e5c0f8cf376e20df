"""Who may do what, from where: DESIGN's table, written down a second time and tried cell by cell."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.models import Role
from accounts.tests.people import person
from orders import services
from orders.exceptions import NotAllowed, OrderError, OrderNotFound, OrderTaken, WrongStatus
from orders.models import BaseOrder, Dispute, Status
from orders.selectors import order_verbs
from orders.signals import payment_due, payout_due, refund_due
from orders.tests.stairs import order_made, row
from orders.transitions import TRANSITIONS

pytestmark = pytest.mark.django_db

NEW, CONTINUE, PAUSED, EXTEND, DONE, DROPPED = Status
EVERYBODY = ("stranger", "other booster", "disabled manager", "client", "booster", "manager", "admin")


def each(names, *statuses):
    return {name: set(statuses) for name in names.split()}


# verb: (status afterwards, {who: from which statuses})
TABLE = {
    "claim": (CONTINUE, {"booster": {NEW}, "other booster": {NEW}}),
    "assign": (CONTINUE, each("manager admin", NEW)),
    "report": (CONTINUE, each("booster", CONTINUE, EXTEND)),
    "pause": (PAUSED, each("client booster manager admin", CONTINUE)),
    "resume": (CONTINUE, each("client booster manager admin", PAUSED)),
    "extend": (EXTEND, each("client manager admin", CONTINUE, PAUSED)),
    "release": (NEW, each("booster manager admin", CONTINUE, PAUSED, EXTEND)),
    "finish": (DONE, each("booster manager admin", CONTINUE, EXTEND)),
    "drop": (DROPPED, each("client", NEW) | each("manager admin", NEW, CONTINUE, PAUSED, EXTEND)),
    "reprice": (None, each("manager admin", NEW, CONTINUE, PAUSED, EXTEND)),
    "dispute": (None, each("client manager admin", CONTINUE, PAUSED, EXTEND)),
    "resolve": (None, each("manager admin", *Status)),
    "write_note": (None, each("client", NEW, CONTINUE, PAUSED, EXTEND)),
}


def cast():
    return {
        "stranger": person(Role.CLIENT),
        "other booster": person(Role.BOOSTER),
        "disabled manager": person(Role.MANAGER, is_active=False),
        "client": person(Role.CLIENT),
        "booster": person(Role.BOOSTER),
        "manager": person(Role.MANAGER),
        "admin": person(Role.ADMIN),
    }


def order_in(status, verb, people):
    place = "0 10 10" if verb == "finish" else "0 5 10"
    booster = None if status == NEW else people["booster"]
    disputed = verb == "resolve"
    order = order_made(
        client=people["client"], status=status, booster_id=booster and booster.pk, title=place, disputed=disputed
    )
    if disputed:
        Dispute.objects.create(order=order, by=people["client"], reason="A reason.")
    return order


def do(verb, order_id, by):
    match verb:
        case "claim":
            return services.order_claim(order_id=order_id, booster=by)
        case "assign":
            return services.order_assign(order_id=order_id, booster=person(Role.BOOSTER), by=by)
        case "report":
            return services.order_report_progress(order_id=order_id, reached=6, by=by)
        case "extend":
            return services.order_extend(order_id=order_id, goal=12, by=by, idempotency_key=f"extend.{order_id}")
        case "drop":
            return services.order_drop(order_id=order_id, by=by, reason="A reason.")
        case "reprice":
            prices: Any = {"actual_price": Decimal(90), "booster_price": Decimal(60)}
            return services.order_reprice(
                order_id=order_id, **prices, reason="A reason.", by=by, idempotency_key=f"reprice.{order_id}"
            )
        case "dispute":
            return services.order_dispute(order_id=order_id, by=by, reason="A reason.")
        case "resolve":
            return services.order_resolve(order_id=order_id, by=by, outcome="paid", reason="A reason.")
        case "write_note":
            return services.order_write_note(order_id=order_id, note="After six.", by=by)
    return getattr(services, f"order_{verb}")(order_id=order_id, by=by)


@pytest.fixture
def money():
    moved = []

    def note(signal, amount, **_):
        moved.append((signal, amount))

    for signal in (payment_due, payout_due, refund_due):
        signal.connect(note)
    yield moved
    for signal in (payment_due, payout_due, refund_due):
        signal.disconnect(note)


def test_the_table_has_every_verb():
    assert TABLE.keys() == TRANSITIONS.keys()


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("verb", TABLE)
def test_the_table(verb, who, money):
    target, allowed = TABLE[verb]
    people = cast()
    for status in Status:
        order = order_in(status, verb, people)
        before = row(order)
        money.clear()
        if status in allowed.get(who, ()):
            assert verb in order_verbs(people[who], order)
            changed = do(verb, order.pk, people[who])
            assert changed.status == (target or status)
            assert row(changed)["message"] not in ("", before["message"])
        else:
            assert verb not in order_verbs(people[who], order)
            with pytest.raises(OrderError):
                do(verb, order.pk, people[who])
            assert row(order) == before
            assert not money


@pytest.mark.parametrize("verb", TABLE)
@pytest.mark.parametrize("who", ["stranger", "disabled manager", "anonymous"])
def test_to_a_stranger_an_order_and_no_order_look_the_same(verb, who):
    people = cast() | {"anonymous": AnonymousUser()}
    order = order_in(CONTINUE, verb, people)
    texts = []
    for order_id in (order.pk, order.pk + 1000):
        with pytest.raises((OrderNotFound, OrderTaken)) as refusal:
            do(verb, order_id, people[who])
        texts.append(str(refusal.value).replace(str(order_id), "N"))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("order_id", [-1, 0, 2**63, 10**400, "1", "٣", 1.0, True, None])
@pytest.mark.parametrize("verb", TABLE)
def test_what_is_no_key_is_refused_like_a_missing_order(verb, order_id):
    with pytest.raises((OrderNotFound, OrderTaken)):
        do(verb, order_id, person(Role.MANAGER))


def test_a_refusal_names_the_rule():
    people = cast()
    order = order_in(CONTINUE, "drop", people)
    with pytest.raises(NotAllowed, match="dropped by its client while it is New, or by a manager"):
        services.order_drop(order_id=order.pk, by=people["client"])
    with pytest.raises(WrongStatus, match=r"is Continue\. An order is resumed by .* while it is Paused"):
        services.order_resume(order_id=order.pk, by=people["client"])


@pytest.mark.parametrize("verb", TABLE)
def test_a_message_has_no_price_and_no_name(verb):
    people = cast()
    _, allowed = TABLE[verb]
    who, statuses = next(iter(allowed.items()))
    order = order_in(next(iter(statuses)), verb, people)
    do(verb, order.pk, people[who])
    after = BaseOrder.objects.get(pk=order.pk)
    secrets = [str(after.actual_price), str(after.booster_price), *(user.username for user in people.values())]
    assert not [secret for secret in secrets if secret in after.message]
