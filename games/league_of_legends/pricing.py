"""What a way up the ladder costs, and what the booster gets of it. Pure."""

from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate

from games.league_of_legends.exceptions import GoalTooLow
from games.league_of_legends.ladder import BANDS, MARKS, Position, position_at
from orders.options import Options

CENT = Decimal("0.01")

# For one step up (a division, or a rank from Master on), by the rank it starts in. Each is a multiple of six cents,
# so that a band of marks, a sixth of a step, has a price in whole cents.
STEP_PRICES = {
    "Iron": Decimal("4.80"),
    "Bronze": Decimal("6.00"),
    "Silver": Decimal("7.80"),
    "Gold": Decimal("10.80"),
    "Platinum": Decimal("15.60"),
    "Emerald": Decimal("24.00"),
    "Diamond": Decimal("45.00"),
    "Master": Decimal("120.00"),
    "Grandmaster": Decimal("240.00"),
    "Challenger": Decimal("480.00"),
}
PRICE_BELOW = tuple(  # from the foot of the ladder to each band
    accumulate((STEP_PRICES[position_at(band).rank] / MARKS for band in range(BANDS)), initial=Decimal("0.00"))
)
DUO = Decimal("0.40")
STREAMING = Decimal("0.10")
TURBO = Decimal("0.25")
PAYOUT_SHARE = Decimal("0.70")


def way_price(start: Position, end: Position) -> Decimal:
    """Return the list price of the bands between; 0 when ``end`` is not above ``start``.

    >>> way_price(Position("Gold", 1), Position("Gold", 2, 3))
    Decimal('16.20')
    """
    return max(PRICE_BELOW[end.band] - PRICE_BELOW[start.band], Decimal("0.00"))


def options_factor(options: Options) -> Decimal:
    """Return what the list price is multiplied by.

    >>> options_factor(Options(duo=True, turbo=True))
    Decimal('1.65')
    """
    return 1 + DUO * options.duo + STREAMING * options.streaming + TURBO * options.turbo


def price(start: Position, goal: Position, options: Options) -> Decimal:
    """Return what the client pays from ``start`` to ``goal``, which must be above it."""
    if goal.band <= start.band:
        raise GoalTooLow(f"The goal must be above {start}. Choose a higher one.")
    return (way_price(start, goal) * options_factor(options)).quantize(CENT, ROUND_HALF_UP)


def payout(actual_price: Decimal) -> Decimal:
    """Return the booster's share of a price.

    >>> payout(Decimal("16.20"))
    Decimal('11.34')
    """
    return (actual_price * PAYOUT_SHARE).quantize(CENT, ROUND_HALF_UP)
