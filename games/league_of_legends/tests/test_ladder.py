import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.league_of_legends.exceptions import BadPosition
from games.league_of_legends.ladder import BANDS, Position, position_at
from games.league_of_legends.models import Rank
from games.league_of_legends.ranks import ranks_fill


@given(st.integers(0, BANDS - 1))
def test_every_band_is_one_place(band):
    assert position_at(band).band == band


@pytest.mark.parametrize(
    "place",
    [
        ("Wood", 1, 0),
        ("", 1, 0),
        (None, 1, 0),
        ("Gold", None, 0),
        ("Gold", 0, 0),
        ("Gold", 5, 0),
        ("Gold", -1, 0),
        ("Gold", 1.0, 0),
        ("Gold", "1", 0),
        ("Gold", True, 0),
        ("Gold", 1, -1),
        ("Gold", 1, 6),
        ("Gold", 1, 2**63),
        ("Gold", 1, None),
        ("Gold", float("nan"), 0),
        ("Master", 1, 0),
        ("Challenger", 0, 0),
    ],
)
def test_what_is_no_place_is_refused(place):
    with pytest.raises(BadPosition):
        Position(*place)


@pytest.mark.parametrize("band", [-1, BANDS, 1.5, None, True])
def test_the_ladder_has_two_ends(band):
    with pytest.raises(BadPosition):
        position_at(band)


@pytest.mark.django_db
def test_the_rank_rows_are_the_ladder_and_come_back_after_a_flush():
    names = [
        "Iron",
        "Bronze",
        "Silver",
        "Gold",
        "Platinum",
        "Emerald",
        "Diamond",
        "Master",
        "Grandmaster",
        "Challenger",
    ]
    assert list(Rank.objects.values_list("name", flat=True)) == names
    assert list(Rank.objects.filter(divided=False).values_list("name", flat=True)) == names[7:]
    Rank.objects.all().delete()
    ranks_fill()
    ranks_fill()
    assert list(Rank.objects.values_list("name", flat=True)) == names
