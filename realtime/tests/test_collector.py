"""The collector of garbage looks at less and less, but never hides for good what may become garbage."""

import gc
from collections.abc import Iterator

import pytest

from realtime.gateways.collector import HIDDEN, Collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    thresholds = gc.get_threshold()
    made = Collector()
    made.begin()
    yield made
    made.end()
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_the_first_collections_leave_is_looked_at_no_more(collector: Collector) -> None:
    hidden, kept = gc.get_freeze_count(), []
    for number in range(HIDDEN):
        kept.append([[number] for _ in range(1000)])
        gc.collect(1)
        assert gc.get_freeze_count() == hidden, "only a full collection has looked at everything"
        gc.collect()
        assert gc.get_freeze_count() > hidden + 900
        hidden = gc.get_freeze_count()
    kept.append([[0] for _ in range(1000)])
    gc.collect()
    assert gc.get_freeze_count() <= hidden, "what comes later may become garbage"
