"""The demo data, and the simulation that plays it."""

import random
from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Role, User
from dashboards.management.commands.demo_data import people_make
from dashboards.management.commands.simulate import HANDS_OFF, Simulation
from orders.models import BaseOrder, Status
from orders.selectors import orders_available
from orders.services import order_drop, order_pause
from tests.people import order_of
from wallet.selectors import order_books

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def development(settings):
    settings.DEBUG = True


@pytest.fixture
def people():
    call_command("demo_data", verbosity=0)
    return people_make()


def between_client_and_booster():
    return BaseOrder.objects.filter(client__username="client", booster__username="booster")


def test_everybody_can_log_in_with_demo(people):
    assert all(user.check_password("demo") for user in people.values())
    assert [people[name].role for name in ("client", "booster", "manager", "admin")] == list(Role)
    assert people["admin"].is_superuser


@pytest.mark.parametrize("command", ["demo_data", "simulate"])
def test_production_gets_no_account_with_a_known_password(settings, command):
    settings.DEBUG = False
    with pytest.raises(CommandError, match=r"DEBUG=1 alone.*createsuperuser"):
        call_command(command, verbosity=0)
    assert not User.objects.exists()


def test_there_is_an_order_in_every_status(people):
    statuses = Counter(BaseOrder.objects.values_list("status", flat=True))
    assert statuses.keys() == set(Status)
    assert statuses.total() == 13
    assert between_client_and_booster().filter(status=Status.CONTINUE).count() == 1
    assert len(orders_available()) >= 3


def test_a_second_time_nothing_is_made(people):
    before = list(BaseOrder.objects.values())
    call_command("demo_data", verbosity=0)
    assert list(BaseOrder.objects.values()) == before
    assert User.objects.count() == len(people)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_there_is_always_an_order_in_progress_between_client_and_booster(people, seed):
    simulation = Simulation(people=people, limit=40, dice=random.Random(seed))
    told = [simulation.step() for _ in range(160)]
    for _ in range(3):  # a step that finishes is followed by one that places the next
        if between_client_and_booster().filter(status__in=("Continue", "Paused", "Extend")).exists():
            break
        told.append(simulation.step())
    else:
        pytest.fail("no order in progress")
    done = Counter(words.split()[2].strip(":") for words in told if words.startswith("order"))
    assert {"reached", "paused", "resumed", "claimed", "finished", "placed"} <= done.keys()
    assert not [words for words in told if words.startswith("refused")]
    assert BaseOrder.objects.count() <= 40
    for order in BaseOrder.objects.filter(status=Status.DONE):
        assert order_books(order).payouts == order.booster_price + order.paid_out


def test_at_the_limit_no_order_is_placed_and_the_last_one_still_moves(people):
    simulation = Simulation(people=people, limit=13, dice=random.Random(1))
    order = between_client_and_booster().get(status=Status.CONTINUE)
    for _ in range(60):
        simulation.demo_moves()
    assert BaseOrder.objects.count() == 13
    order.refresh_from_db()
    assert order.status in (Status.CONTINUE, Status.PAUSED)
    before = order.status
    simulation.demo_moves()
    order.refresh_from_db()
    assert order.status != before


def test_people_may_interfere(people):
    simulation = Simulation(people=people, limit=40, dice=random.Random(1))
    order = between_client_and_booster().get(status=Status.CONTINUE)
    order_drop(order_id=order.pk, by=people["manager"], reason="To see what happens.")
    assert "claimed by booster" in simulation.demo_moves()
    people["booster"].is_active = False
    people["booster"].save()
    simulation.steps = 2
    assert simulation.step().startswith("refused: There is no order")


def test_what_a_person_changes_is_left_to_him_for_a_while(people):
    simulation = Simulation(people=people, limit=13, dice=random.Random(1))
    order = between_client_and_booster().get(status=Status.CONTINUE)
    simulation.step()
    order_pause(order_id=order.pk, by=people["client"])
    told = [simulation.step() for _ in range(HANDS_OFF)]
    assert not any(f"order {order.pk} " in words for words in told)
    order.refresh_from_db()
    assert order.status == Status.PAUSED
    told = [simulation.step() for _ in range(3)]
    assert f"order {order.pk} resumed" in told


def test_what_a_person_orders_is_his_to_play(people):
    chosen, available = order_of(people["client"], booster=people["booster"]), order_of(people["clara"])
    simulation = Simulation(people=people, limit=40, dice=random.Random(1))
    for _ in range(200):
        simulation.step()
    for order in (chosen, available):
        order.refresh_from_db()
        assert (order.status, order.message) == (Status.NEW, "The order was placed and paid.")


def test_the_command_ends_after_its_steps(people, capsys):
    call_command("simulate", steps=5, pace=0, seed=1, verbosity=2)
    assert len(capsys.readouterr().out.splitlines()) == 5
