"""Staff in the admin site: every change goes through a service."""

from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.tests.people import person
from games.league_of_legends.ladder import Position
from games.league_of_legends.models import Rank
from games.league_of_legends.services import division_order_create
from orders.models import BaseOrder, Decision, Dispute
from orders.options import Options
from orders.services import order_claim
from wallet.models import Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return person(Role.ADMIN, is_staff=True, is_superuser=True)


@pytest.fixture
def site(client, admin):
    client.force_login(admin)
    return client


@pytest.fixture
def division():
    return division_order_create(
        client=person(Role.CLIENT),
        current=Position("Gold", 1),
        desired=Position("Gold", 3),
        options=Options(),
        idempotency_key=str(uuid4()),
    )


def page(kind, row):
    return reverse(f"admin:{kind}_change", args=[row.pk])


EMPTY = {f"{inline}-{count}_FORMS": 0 for inline in ("decisions", "disputes") for count in ("TOTAL", "INITIAL")}


def decide(site, order, **words):
    answer = site.post(page("orders_baseorder", order), {**EMPTY, **words})
    order.refresh_from_db()
    return answer, [str(message) for message in get_messages(answer.wsgi_request)]


def test_every_page_opens(site, division):
    payment = Transaction.objects.get()
    rows = {
        "orders_baseorder": division.order,
        "wallet_transaction": payment,
        "leagueOfLegends_leagueoflegendsdivisionorder": division,
        "leagueOfLegends_rank": division.current_rank,
        "accounts_user": division.order.client,
    }
    for kind, row in rows.items():
        assert site.get(reverse(f"admin:{kind}_changelist")).status_code == 200
        assert site.get(page(kind, row)).status_code == 200
    for kind in ("orders_baseorder", "wallet_transaction", "leagueOfLegends_leagueoflegendsdivisionorder"):
        assert site.get(reverse(f"admin:{kind}_add")).status_code == 403
        assert site.post(reverse(f"admin:{kind}_delete", args=[rows[kind].pk]), {"post": "yes"}).status_code == 403


def test_the_page_of_an_order_costs_as_much_with_many_decisions_as_with_one(site, division):
    order = division.order

    def cost():
        with CaptureQueriesContext(connection) as queries:
            assert site.get(page("orders_baseorder", order)).status_code == 200
        return len(queries)

    def decided():
        manager = person(Role.MANAGER)
        Decision.objects.create(order=order, by=manager, verb="reprice", reason="Asked.")
        Dispute.objects.create(
            order=order,
            by=order.client,
            reason="Wrong.",
            outcome="paid",
            resolved_by=manager,
            resolved_at=timezone.now(),
        )

    decided()
    cost()
    once = cost()
    for _ in range(4):
        decided()
    assert cost() == once


def test_status_prices_and_booster_cannot_be_typed_in(site, division):
    order = division.order
    before = BaseOrder.objects.values().get()
    decide(site, order, status="Done", actual_price="1", booster_price="1", booster=person(Role.BOOSTER).pk, client=1)
    assert BaseOrder.objects.values().get() == before
    site.post(page("wallet_transaction", Transaction.objects.get()), {"amount": "1"})
    assert Transaction.objects.get().amount == order.actual_price


def test_staff_assigns_reprices_and_drops_with_a_reason(site, admin, division):
    order, booster = division.order, person(Role.BOOSTER)
    decide(site, order, decision="assign", new_booster=booster.pk)
    assert (order.status, order.booster) == ("Continue", booster)
    words = {"new_actual_price": "30.00", "new_booster_price": "20.00", "idempotency_key": "one"}
    answer, _ = decide(site, order, decision="reprice", **words)
    assert (answer.status_code, order.actual_price) == (200, division.order.actual_price)
    assert "This decision needs it." in answer.content.decode()
    stale = {"seen_actual_price": "1.00", "seen_booster_price": "1.00", "idempotency_key": "stale"}
    decide(site, order, decision="reprice", reason="A mistake.", **words | stale)
    assert order.actual_price == division.order.actual_price
    form = site.get(page("orders_baseorder", order)).context["adminform"].form
    words |= {name: str(form[name].value()) for name in ("seen_actual_price", "seen_booster_price")}
    for _ in range(2):  # sent twice, it is one decision
        decide(site, order, decision="reprice", reason="A mistake.", **words)
    assert (order.actual_price, order.booster_price) == (30, 20)
    decide(site, order, decision="drop", reason="The account was sold.")
    assert order.status == "Dropped"
    assert [(decision.verb, decision.by) for decision in Decision.objects.order_by("id")] == [
        ("reprice", admin),
        ("drop", admin),
    ]


@pytest.mark.parametrize("query", ["status=%00", "status__exact=%00", "q=%00", "game=%2500", "o=%00"])
def test_a_query_with_a_nul_is_no_error_of_the_server(site, query):
    for kind in ("orders_baseorder", "accounts_user", "vault_reading", "wallet_transaction"):
        assert site.get(f"{reverse(f'admin:{kind}_changelist')}?{query}").status_code in {200, 302, 400}


def test_a_refusal_is_shown_and_nothing_is_done(site, division):
    order = division.order
    order_claim(order_id=order.pk, booster=person(Role.BOOSTER))
    answer, told = decide(site, order, decision="assign", new_booster=person(Role.BOOSTER).pk)
    assert answer.status_code == 302
    assert told == [f"Order {order.pk} is Continue. An order is assigned by a manager while it is New."]


def test_actions_go_through_the_services(site, division):
    order = division.order
    order_claim(order_id=order.pk, booster=person(Role.BOOSTER))

    def act(action):
        answer = site.post(
            reverse("admin:orders_baseorder_changelist"), {"action": action, "_selected_action": [order.pk]}
        )
        order.refresh_from_db()
        return order.status, [str(message) for message in get_messages(answer.wsgi_request)]

    assert act("pause")[0] == "Paused"
    status, told = act("pause")
    assert (status, told[-1]) == (
        "Paused",
        f"Order {order.pk} is Paused. An order is paused by its client, its booster or a manager while it is Continue.",
    )
    assert act("resume")[0] == "Continue"
    assert act("release")[0] == "New"
    assert "is New" in act("finish")[1][-1]


def test_staff_extends_once_for_each_form(site, division):
    order = division.order
    order_claim(order_id=order.pk, booster=person(Role.BOOSTER))
    form = {
        "goal_rank": Rank.objects.get(name="Platinum").pk,
        "goal_division": 1,
        "goal_marks": 0,
        "idempotency_key": "k",
    }
    for _ in range(2):
        site.post(page("leagueOfLegends_leagueoflegendsdivisionorder", division), form)
    division.refresh_from_db()
    assert division.desired == Position("Platinum", 1)
    assert Transaction.objects.filter(kind="payment").count() == 2
    answer = site.post(
        page("leagueOfLegends_leagueoflegendsdivisionorder", division),
        form | {"goal_division": "", "idempotency_key": "l"},
    )
    assert [str(message) for message in get_messages(answer.wsgi_request)][-1].startswith("Platinum has four divisions")
