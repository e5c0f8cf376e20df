from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from games.league_of_legends.ladder import BANDS, Position, position_at
from games.league_of_legends.progress import percent_done, share_done

places = st.integers(0, BANDS - 1).map(position_at)
ways = st.lists(places, min_size=3, max_size=3, unique=True).map(lambda way: sorted(way, key=lambda place: place.band))


@given(places, places, places)
def test_progress_is_never_outside(start, reached, goal):
    assert 0 <= share_done(start, reached, goal) <= 1
    assert percent_done(start, reached, goal) in range(101)


@given(places, places, places, places)
def test_who_has_got_further_has_no_less_progress(start, goal, one, other):
    low, high = sorted((one, other), key=lambda place: place.band)
    assert share_done(start, low, goal) <= share_done(start, high, goal)
    assert percent_done(start, low, goal) <= percent_done(start, high, goal)


@given(ways)
def test_progress_is_0_at_the_start_and_100_at_the_goal(way):
    start, _, goal = way
    assert percent_done(start, start, goal) == 0
    assert percent_done(start, goal, goal) == 100


@given(ways)
def test_100_percent_is_the_goal_and_nothing_before_it(way):
    start, reached, goal = way
    assert percent_done(start, reached, goal) < 100
    assert share_done(start, reached, goal) < 1


@given(ways, places)
def test_a_higher_goal_is_no_more_progress(way, reached):
    start, near, far = way
    assert share_done(start, reached, far) <= share_done(start, reached, near)


def test_the_dear_end_of_a_way_counts_more():
    start, goal = Position("Iron", 1), Position("Diamond", 1)
    halfway = position_at((start.band + goal.band) // 2)
    assert share_done(start, halfway, goal) < Fraction(1, 3)
