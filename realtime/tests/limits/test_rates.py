"""The rules, which know no network."""

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from realtime.limits import Bucket, Rates

pytestmark = pytest.mark.older_long


@given_that(st.lists(st.integers(0, 12), max_size=80))
def test_a_rate_decides_as_a_bucket_does(steps: list[int]) -> None:
    now = 100.0
    rates, bucket = Rates(), Bucket(rate=2.0, burst=5, now=now)
    for step in steps:
        now += step / 4
        wait = rates.wait("name", rate=2.0, burst=5, names=10, now=now)
        assert (wait == 0) == bucket.allow(now=now)
        assert 0 <= wait <= 0.5


def test_the_table_of_addresses_is_bounded_and_keeps_who_is_heard_of() -> None:
    rates = Rates()

    def knock(name: str) -> float:
        return rates.wait(name, rate=0.001, burst=2, names=100, now=0.0)

    assert [knock("attacker") > 0 for _ in range(3)] == [False, False, True]
    for number in range(10_000):
        assert knock(f"2001:db8:{number:x}::") == 0
        assert knock("attacker") > 0, "who keeps knocking is not forgotten"
    assert len(rates) == 100
    assert rates.forgotten == 10_000 + 1 - 100
