from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.exceptions import BadAmount
from orders.money import amount_check, part_of

cents = st.integers(0, 10**10 - 1).map(lambda number: Decimal(number) / 100)
shares = st.fractions(0, 1)
NO_AMOUNTS = ["-0.01", "NaN", "sNaN", "Infinity", "-Infinity", "0.001", "100000000", "1e8", "1e999999", "-1e-999999"]


@pytest.mark.parametrize("value", [*map(Decimal, NO_AMOUNTS), 1, 1.5, "1.00", None, True])
def test_what_is_no_amount_is_refused(value):
    with pytest.raises(BadAmount, match="must be an amount of money"):
        amount_check(value, what="The price")


@given(cents)
def test_an_amount_in_cents_is_taken_as_it_is(amount):
    assert amount_check(amount, what="The price") == amount


def test_minus_zero_is_zero():
    assert str(amount_check(Decimal("-0.00"), what="The price")) == "0.00"


@given(cents, shares)
def test_a_part_is_between_nothing_and_all_and_in_whole_cents(amount, share):
    part = part_of(amount, share)
    assert 0 <= part <= amount
    assert part == part.quantize(Decimal("0.01"))
    assert amount * share.numerator - part * share.denominator < Decimal("0.01") * share.denominator


@given(cents, st.lists(shares, max_size=6))
def test_parts_and_the_rest_make_the_whole_to_the_cent(amount, taken):
    rest, parts = amount, []
    for share in taken:
        parts.append(part_of(rest, share))
        rest -= parts[-1]
    assert sum(parts) + rest == amount
    assert rest >= 0


@given(cents, shares, shares)
def test_a_larger_share_is_not_a_smaller_part(amount, one, other):
    assert part_of(amount, min(one, other)) <= part_of(amount, max(one, other))


@given(cents)
def test_nothing_and_all(amount):
    assert part_of(amount, Fraction(0)) == 0
    assert part_of(amount, Fraction(1)) == amount
