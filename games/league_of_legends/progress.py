"""How much of the way is done, measured by its price. Pure."""

from fractions import Fraction

from games.league_of_legends.ladder import Position
from games.league_of_legends.pricing import way_price


def share_done(start: Position, reached: Position, goal: Position) -> Fraction:
    """Return the priced share of the way from ``start`` to ``goal``, 0 to 1; 1 when there is no way.

    >>> share_done(Position("Iron", 1), Position("Iron", 2), Position("Iron", 4))
    Fraction(1, 3)
    """
    whole = way_price(start, goal)
    if not whole:
        return Fraction(1)
    return min(Fraction(way_price(start, reached)) / Fraction(whole), Fraction(1))


def percent_done(start: Position, reached: Position, goal: Position) -> int:
    """Return the share in whole percent, rounded down: 100 only at the goal.

    >>> percent_done(Position("Iron", 1), Position("Iron", 3), Position("Iron", 4))
    66
    """
    return int(share_done(start, reached, goal) * 100)
