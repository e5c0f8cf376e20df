"""The log itself: records that it does not know yet, what waits to be settled, its epoch and its size."""

from collections.abc import Iterator

from django.utils import timezone

from .. import survey
from ..feeds import all_feeds
from .finding import Finding

LATE_SECONDS = 5.0
"""Age of an unsettled event at which no process seems to settle: each with sockets looks every ``POLL_SECONDS``."""
BATCH = 2000


def examine() -> Iterator[Finding]:
    """Yield how the log stands."""
    for feed in all_feeds():
        missing = survey.without_stream(feed, batch=BATCH)
        if missing:
            yield Finding("warn", f"{feed.name}: {missing} records have no stream yet", "run realtime_backfill")
        else:
            yield Finding("ok", f"{feed.name}: every record has its stream")
    now = survey.condition()
    late = (timezone.now() - now.oldest).total_seconds() if now.oldest else 0.0
    waiting = f"relay: {now.unsettled} events wait, the oldest for {max(late, 0.0):.0f} s"
    if late > LATE_SECONDS:
        yield Finding("warn", waiting, "start a server, or look for warnings of the logger realtime.relay")
    else:
        yield Finding("ok", waiting)
    if now.newest_position > now.position:
        what = f"positions: an event has {now.newest_position}, the last one given is {now.position}"
        yield Finding(
            "FAIL", what, "tables were restored singly: restore realtime_epoch too, then realtime_rotate_epoch"
        )
    yield Finding("ok", f"epoch {now.epoch or 'not made yet'}, position {now.position}")
    size = "" if now.size is None else f", {now.size / 2**20:.1f} MiB with indexes"
    yield Finding("ok", f"log: about {now.events} events{size}")
