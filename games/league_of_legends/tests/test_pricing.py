from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.league_of_legends.exceptions import GoalTooLow
from games.league_of_legends.ladder import BANDS, MARKS, RANKS, Position, position_at
from games.league_of_legends.pricing import STEP_PRICES, options_factor, payout, price, way_price
from orders.money import amount_check
from orders.options import Options

bands = st.integers(0, BANDS - 1)
options = st.builds(Options, st.booleans(), st.booleans(), st.booleans())


def way(*points):
    return [position_at(band) for band in sorted(points)]


def test_every_rank_has_a_price_which_marks_divide_into_whole_cents_and_higher_ranks_cost_more():
    assert tuple(STEP_PRICES) == RANKS
    assert all(step % (MARKS * Decimal("0.01")) == 0 for step in STEP_PRICES.values())
    assert all(low < high for low, high in pairwise(STEP_PRICES.values()))


@given(st.lists(bands, min_size=3, max_size=3, unique=True), options)
def test_a_longer_way_costs_more(points, chosen):
    low, middle, high = way(*points)
    assert price(low, middle, chosen) < price(low, high, chosen)
    assert price(middle, high, chosen) < price(low, high, chosen)


@given(bands, bands, bands)
def test_a_way_costs_what_its_parts_cost(one, two, three):
    low, middle, high = way(one, two, three)
    assert way_price(low, middle) + way_price(middle, high) == way_price(low, high)


@given(st.lists(bands, min_size=2, max_size=2, unique=True), options)
def test_a_price_is_an_amount_the_booster_gets_a_share_and_the_house_keeps_the_rest(points, chosen):
    low, high = way(*points)
    cost = price(low, high, chosen)
    assert amount_check(cost, what="The price") == cost > 0
    assert amount_check(payout(cost), what="The payout") == payout(cost)
    assert 0 < payout(cost) < cost


@given(options)
def test_options_never_make_it_cheaper(chosen):
    assert options_factor(chosen) >= options_factor(Options()) == 1
    assert options_factor(Options(duo=True, streaming=True, turbo=True)) >= options_factor(chosen)


@given(bands, bands, options)
def test_a_goal_that_is_not_above_the_start_has_no_price(one, other, chosen):
    low, high = way(one, other)
    with pytest.raises(GoalTooLow):
        price(high, low, chosen)


def test_two_divisions_of_gold_with_a_duo():
    assert price(Position("Gold", 1), Position("Gold", 3), Options(duo=True)) == Decimal("30.24")
