"""A division order from placing to the goal, and what is refused on the way."""

from decimal import Decimal

import pytest

from accounts.models import Role
from accounts.tests.people import person
from games.league_of_legends.exceptions import BadPosition, BeyondTheGoal, GoalTooLow, NotForward
from games.league_of_legends.ladder import Position
from games.league_of_legends.models import LeagueOfLegendsDivisionOrder
from games.league_of_legends.selectors import division_of, divisions_of
from games.league_of_legends.services import division_order_create, division_order_extend, division_order_report
from orders.exceptions import KeyReused, NotAllowed, OrderNotFound, UnknownGame, WrongStatus
from orders.models import BaseOrder, Status
from orders.options import Options
from orders.selectors import orders_of
from orders.services import order_claim, order_finish, order_pause, order_release

pytestmark = pytest.mark.django_db

GOLD_4, GOLD_3, GOLD_2, GOLD_1 = (Position("Gold", division) for division in (1, 2, 3, 4))


@pytest.fixture
def owner():
    return person(Role.CLIENT)


@pytest.fixture
def booster():
    return person(Role.BOOSTER)


def placed(owner, *, current=GOLD_4, desired=GOLD_2, key="one", **choices):
    return division_order_create(
        client=owner,
        current=current,
        desired=desired,
        options=choices.pop("options", Options()),
        idempotency_key=key,
        **choices,
    )


@pytest.fixture
def played(owner, booster):
    division = placed(owner)
    order_claim(order_id=division.order_id, booster=booster)
    return division


def stored(division):
    return [
        model.objects.values().get(pk=pk)
        for model, pk in ((LeagueOfLegendsDivisionOrder, division.pk), (BaseOrder, division.order_id))
    ]


def test_an_order_starts_where_the_account_stands(owner, booster):
    division = placed(owner, options=Options(duo=True), note="After six.", booster=booster)
    order = division.order
    assert (division.current, division.reached, division.desired) == (GOLD_4, GOLD_4, GOLD_2)
    assert division.progress_percent == 0
    assert (order.actual_price, order.booster_price) == (Decimal("30.24"), Decimal("21.17"))
    assert (order.game, order.title, order.note, order.duo) == (
        "league-of-legends",
        "Gold IV to Gold II",
        "After six.",
        True,
    )
    assert (order.status, order.booster) == (Status.NEW, booster)


def test_the_same_request_makes_one_order(owner):
    assert placed(owner) == placed(owner)
    with pytest.raises(KeyReused):
        placed(owner, desired=GOLD_1)
    with pytest.raises(KeyReused):
        placed(owner, current=Position("Gold", 1, 1))
    assert LeagueOfLegendsDivisionOrder.objects.count() == BaseOrder.objects.count() == 1


@pytest.mark.parametrize("desired", [GOLD_4, Position("Silver", 4, 5)])
def test_a_goal_that_is_not_above_the_start_is_no_order(owner, desired):
    with pytest.raises(GoalTooLow):
        placed(owner, desired=desired)
    assert not BaseOrder.objects.exists()


def test_the_booster_reports_how_far_he_has_got(played, booster):
    division = division_order_report(order_id=played.order_id, reached=Position("Gold", 2, 3), by=booster)
    assert (division.reached, division.progress_percent) == (Position("Gold", 2, 3), 75)
    assert division.order.message == "Reached Gold III, 3 marks."
    assert division_order_report(order_id=played.order_id, reached=GOLD_2, by=booster).progress_percent == 100
    assert order_finish(order_id=played.order_id, by=booster).status == Status.DONE


@pytest.mark.parametrize("place", [GOLD_3, GOLD_4, Position("Iron", 1)])
def test_progress_goes_one_way(played, booster, place):
    division_order_report(order_id=played.order_id, reached=GOLD_3, by=booster)
    before = stored(played)
    with pytest.raises(NotForward):
        division_order_report(order_id=played.order_id, reached=place, by=booster)
    assert stored(played) == before


def test_what_is_above_the_goal_is_not_reported(played, booster):
    before = stored(played)
    with pytest.raises(BeyondTheGoal):
        division_order_report(order_id=played.order_id, reached=Position("Gold", 3, 1), by=booster)
    assert stored(played) == before


def test_others_report_nothing(played, owner):
    before = stored(played)
    for by, refusal in ((person(Role.BOOSTER), OrderNotFound), (owner, NotAllowed), (person(Role.ADMIN), NotAllowed)):
        with pytest.raises(refusal):
            division_order_report(order_id=played.order_id, reached=GOLD_3, by=by)
    assert stored(played) == before


def test_a_paused_order_gets_no_progress(played, booster):
    order_pause(order_id=played.order_id, by=booster)
    with pytest.raises(WrongStatus):
        division_order_report(order_id=played.order_id, reached=GOLD_3, by=booster)


def test_a_higher_goal_costs_the_way_between_the_goals(played, owner, booster):
    division_order_report(order_id=played.order_id, reached=GOLD_3, by=booster)
    platinum = Position("Platinum", 1)
    division_order_extend(order_id=played.order_id, desired=platinum, by=owner, idempotency_key="two")
    division = division_order_extend(order_id=played.order_id, desired=platinum, by=owner, idempotency_key="two")
    assert (division.desired, division.progress_percent) == (Position("Platinum", 1), 25)
    order = division.order
    assert (order.status, order.title) == (Status.EXTEND, "Gold IV to Platinum IV")
    assert (order.actual_price, order.booster_price) == (Decimal("43.20"), Decimal("30.24"))


@pytest.mark.parametrize("goal", [GOLD_2, GOLD_3])
def test_an_extension_goes_up(played, owner, goal):
    before = stored(played)
    with pytest.raises(GoalTooLow):
        division_order_extend(order_id=played.order_id, desired=goal, by=owner, idempotency_key="two")
    assert stored(played) == before


def test_after_a_release_the_way_starts_where_it_has_got_to(played, booster):
    division_order_report(order_id=played.order_id, reached=GOLD_3, by=booster)
    order_release(order_id=played.order_id, by=booster)
    division = division_of(played.order)
    assert (division.current, division.reached, division.progress_percent) == (GOLD_3, GOLD_3, 0)
    assert (division.order.title, division.order.booster_price) == ("Gold III to Gold II", Decimal("7.56"))


def test_master_and_up_have_no_divisions(owner, booster):
    division = placed(owner, current=Position("Diamond", 4), desired=Position("Grandmaster", None))
    order_claim(order_id=division.order_id, booster=booster)
    division = division_order_report(order_id=division.order_id, reached=Position("Master", None, 2), by=booster)
    assert (division.reached_rank.name, division.reached_division, division.reached_marks) == ("Master", None, 2)
    with pytest.raises(BadPosition):
        Position("Master", 1)


def test_the_rows_of_a_list_of_orders_cost_one_query(owner, django_assert_num_queries):
    for key in "abc":
        placed(owner, key=key)
    with django_assert_num_queries(1):
        assert [str(row) for row in divisions_of(orders_of(owner))] == ["Gold IV to Gold II"] * 3


def test_an_order_of_a_game_that_is_not_installed_says_so(played, booster):
    BaseOrder.objects.filter(pk=played.order_id).update(game="chess")
    with pytest.raises(UnknownGame, match="chess: add its app"):
        order_finish(order_id=played.order_id, by=booster)
