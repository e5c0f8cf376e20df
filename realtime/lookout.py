"""What the database has now: what moved since a position, and whom a board lists. Read by repair and by joining boards.

Everything here is a few light statements and knows no socket.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from . import conf, log
from .boards import Listing
from .capture.base import plain
from .feeds import feed_named
from .models import Epoch, Event

MOVED_AT_MOST = 5000
"""Events of one look; when more have been settled the boards are read anew."""


@dataclass(frozen=True, slots=True)
class Look:
    """The database at one moment. What was committed before ``clock``, the database's own, is in it.

    ``heads``: the newest version of each topic asked for. ``pos``: the last position given out. ``moved``: topics with
    events after the position asked for, each with its newest version; ``None``: they are not all known (trimmed, too
    many, a restored database).
    """

    clock: str
    heads: dict[str, int]
    pos: int
    moved: dict[str, int] | None


def look(topics: Collection[str], *, after: int | None) -> Look:
    """Return what there is now; ``after``: also what has moved since that position, settled or not."""
    using = conf.current().database
    here = Epoch.objects.using(using).annotate(clock=Now()).values_list("pos", "clock")
    pos, clock = here.first() or (position(), here.get()[1])
    heads = log.heads(topics) if topics else {}
    moved = {} if after is None else _moved(after, pos, using)
    return Look(plain(clock), heads, pos, moved)


def _moved(after: int, pos: int, using: str) -> dict[str, int] | None:
    """One statement, so that an event which is settled meanwhile is not between two.

    Positions have no gap: a missing one says that something is missing here.
    """
    wanted = Event.objects.using(using).filter(Q(pos__gt=after) | Q(pos=None))
    events = list(wanted.values_list("pos", "topic", "version")[: MOVED_AT_MOST + 1])
    settled = sum(1 for given, _, _ in events if given is not None and given <= pos)
    if len(events) > MOVED_AT_MOST or settled != pos - after:
        return None
    moved: dict[str, int] = {}
    for _, topic, version in events:
        moved[topic] = max(version, moved.get(topic, 0))
    return moved


def position() -> int:
    """Return the last position that was given out."""
    log.epoch()
    return Epoch.objects.using(conf.current().database).values_list("pos", flat=True).get()


def listed(listing: Listing, limit: int) -> tuple[list[Any], int]:
    """Return the keys of the newest ``limit`` records of a board, newest first, and how many there are of them."""
    feed = feed_named(listing.feed)
    paths = {name: getattr(feed.fields[name], "path", name) for name, _ in listing.filters}
    rows = feed.model._base_manager.using(conf.current().database).filter(listing.query(paths))
    keys = list(rows.order_by(*feed.newest_first).values_list("pk", flat=True)[:limit])
    return keys, len(keys) if len(keys) < limit else rows.count()
