"""Each test counts from nothing, and may have several processes."""

from collections.abc import AsyncIterator

import pytest

from realtime.quotas import Quotas
from realtime.tests.limits.places import HAS_REDIS, LAYER, Make


@pytest.fixture(autouse=True)
def emptied() -> None:
    """Start without what other tests have left in Redis."""
    if HAS_REDIS:
        import redis as library

        with library.Redis.from_url(LAYER["CONFIG"]["hosts"][0]["address"]) as client:
            for key in client.scan_iter("*:limits:*"):
                client.delete(key)


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make what one process has: each counts for itself, as two processes do."""
    made: list[Quotas] = []

    def make() -> Quotas:
        made.append(Quotas())
        return made[-1]

    yield make
    for quotas in made:
        if quotas._tally._keeping is not None:
            quotas._tally._keeping.cancel()
        await quotas._tally.questions.hang_up()
