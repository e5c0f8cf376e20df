"""What the database has now: what moved since a position, and whom a board lists. Read by repair and by joining boards.

Everything here is a few light statements and knows no socket.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from . import conf, log
from .boards import Listing
from .capture.base import plain
from .feeds import feed_named
from .models import Epoch, Event
from .protocol.frames import Update

MOVED_AT_MOST = 5000
"""Events of one look; when more have been settled the boards are read anew."""

RETURNED_AT_MOST = 200
"""Records that moved while a client was away; beyond it the board is read anew."""


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


def held(listing: Listing, limit: int, *, after: int, lists: Callable[[Update], bool]) -> dict[str, int] | None:
    """Return what a client still holds that had all of a board up to the position ``after``, and nothing since.

    Topics with their versions: members that have not moved, and what was listed then and is not any more. ``None``:
    it cannot be told (trimmed, too much, a restored database, or more records than the board has places).
    ``lists``: whether the board has a record in that version.
    """
    feed = feed_named(listing.feed)
    # In this order: what moves between two of these statements is seen as moved, never as held.
    keys, total = listed(listing, limit)
    heads = log.heads([feed.topic(key) for key in keys])
    first = _first_moved(after, position(), feed.name)
    if first is None:
        return None
    before = {topic: _before(event) for topic, event in first.items()}
    were = {topic for topic, update in before.items() if update is not None and lists(update)}
    now = {feed.topic(key) for key in keys}
    if max(total, total - len((now & first.keys()) - were) + len(were - now)) > limit:
        return None  # which of them had a place on the board is not known
    still = {topic: version for topic, version in heads.items() if topic not in first}
    return still | {topic: first[topic].version - 1 for topic in were - now}


def _first_moved(after: int, pos: int, name: str) -> dict[str, Event] | None:
    """Return the first event after the position ``after`` of each topic of a feed; ``None``: they are not all known."""
    using = conf.current().database
    wanted = Event.objects.using(using).filter(Q(pos__gt=after) | Q(pos=None))
    rows = list(wanted.values_list("pos", "topic", "version")[: MOVED_AT_MOST + 1])
    settled = sum(1 for given, _, _ in rows if given is not None and given <= pos)
    if len(rows) > MOVED_AT_MOST or settled != pos - after:
        return None
    first: dict[str, int] = {}
    for _, topic, version in rows:
        if topic.startswith(f"{name}."):
            first[topic] = min(version, first.get(topic, version))
    if len(first) > RETURNED_AT_MOST:
        return None
    conditions = Q()
    for topic, version in first.items():
        conditions |= Q(topic=topic, version=version)
    events = Event.objects.using(using).filter(conditions) if first else []
    found = {event.topic: event for event in events}
    return found if found.keys() == first.keys() else None


def _before(event: Event) -> Update | None:
    state = log.state_before(event)
    return None if state is None else Update(event.topic, event.version - 1, state, (), "")
