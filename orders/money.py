"""Amounts of money, without a database."""

from decimal import ROUND_DOWN, Decimal
from fractions import Fraction

from orders.exceptions import BadAmount

CENT = Decimal("0.01")
LIMIT = Decimal(10) ** 8  # numeric(10, 2) holds eight digits before the point


def amount_check(value: object, *, what: str) -> Decimal:
    """Return ``value`` with two places, or refuse it with ``BadAmount``.

    >>> amount_check(Decimal("12.5"), what="The price")
    Decimal('12.50')
    >>> amount_check(Decimal("NaN"), what="The price")
    Traceback (most recent call last):
    orders.exceptions.BadAmount: The price must be an amount of money: 0.00 to 99999999.99, at most two places.
    """
    if isinstance(value, Decimal) and value.is_finite() and 0 <= value < LIMIT and value == value.quantize(CENT):
        return value.quantize(CENT) + Decimal("0.00")  # -0.00 becomes 0.00
    raise BadAmount(f"{what} must be an amount of money: 0.00 to {LIMIT - CENT}, at most two places.")


def prices_seen(actual_price: Decimal | None, booster_price: Decimal | None) -> tuple[Decimal, Decimal] | None:
    """Return the prices that somebody had before his eyes; ``None`` when he does not say, never one of the two."""
    if actual_price is None and booster_price is None:
        return None
    if actual_price is None or booster_price is None:
        raise BadAmount("Send both of the prices that you have seen, or none.")
    return actual_price, booster_price


def loss_of(*, price: Decimal, paid_out: Decimal, payout: Decimal) -> Decimal:
    """Return by how much boosters get more than the client pays.

    >>> loss_of(price=Decimal("100"), paid_out=Decimal("28"), payout=Decimal("75"))
    Decimal('3')
    >>> loss_of(price=Decimal("100"), paid_out=Decimal("28"), payout=Decimal("42"))
    Decimal('0')
    """
    return max(paid_out + payout - price, Decimal(0))


def part_of(amount: Decimal, share: Fraction) -> Decimal:
    """Return ``share`` (0 to 1) of ``amount``, rounded down to the cent; the rest is ``amount`` minus it.

    >>> part_of(Decimal("10.00"), Fraction(1, 3))
    Decimal('3.33')
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share is between 0 and 1, not {share}")
    cents = int(amount / CENT) * share.numerator // share.denominator
    return (cents * CENT).quantize(CENT, rounding=ROUND_DOWN)
