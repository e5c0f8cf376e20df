"""The history of a record, as one viewer may read it: every version, who made it and why, each value before and after.

Reads only, and asks for each version by itself who may see it:

- A version is there for a viewer who saw it as what he is *now*. A courier reads the versions in which the parcel was
  his: not those of his predecessor, and not those of the days when he was only looking for work.
- The value before a change is shown to who saw it then. The version that gave him the record tells nothing older.
- Gates are never shown. Actor, source, request, reason and role are for the feed's ``auditors``; everybody else finds
  himself named where he acted, and nobody where he did not.
- What is not shown cannot be asked for either: a filter on it finds nothing.
"""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Min, Q, QuerySet

from . import conf, log
from .actor import of_user
from .exceptions import Trimmed
from .feeds import Feed, Viewer, feed_of
from .log import State
from .models import Event
from .protocol.frames import Update

MOST = 200
"""Most entries of one page, and most events of one statement."""


@dataclass(frozen=True, slots=True)
class Change:
    """A declared field with its value before and after; without ``was_seen`` the one before is not this viewer's."""

    field: str
    before: Any
    after: Any
    was_seen: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One version as one viewer may read it; what is not for him is empty. ``actor`` is a key (``user:5``), no name.

    ``values`` is the whole state that the version left, as far as he sees it.
    """

    version: int
    at: datetime.datetime
    changes: tuple[Change, ...]
    values: Mapping[str, Any]
    is_first: bool = False
    is_deletion: bool = False
    actor: str = ""
    source: str = ""
    request: str = ""
    reason: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: all conditions hold. ``since`` ≤ at < ``until``; ``first`` ≤ version ≤ ``last``."""

    field: str = ""
    actor: str = ""
    source: str = ""
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of entries, newest first. ``older``: the ``below`` of the next page. ``floor``: oldest version kept."""

    entries: list[Entry]
    older: int | None
    floor: int | None


@dataclass(frozen=True, slots=True)
class Choices:
    """The actors and sources that a record's history names; empty for who is no auditor."""

    actors: list[str]
    sources: list[str]


@dataclass(frozen=True, slots=True)
class Passage:
    """One version on the way up: its entry, and the update to be masked for ``audience``."""

    entry: Entry
    update: Update
    audience: str


@dataclass(frozen=True, slots=True)
class Passages:
    """A page of versions, oldest first. ``following``: the ``after`` of the next page. ``floor``: oldest kept."""

    passages: list[Passage]
    following: int | None
    floor: int | None


ALL = Wanted()


def timeline(
    topic: str, viewer: Viewer, *, wanted: Wanted = ALL, below: int | None = None, limit: int = 50
) -> Timeline | None:
    """Return the newest ``limit`` entries under version ``below``; ``None``: there is no such record for this viewer.

    A deleted record's history, its deletion on top, is there for auditors.
    """
    audience = audience_now(topic, viewer)
    if audience is None:
        return None
    limit = max(1, min(limit, MOST))
    entries = []
    for entry in _entries(topic, viewer, audience, wanted, below):
        entries.append(entry)
        if len(entries) > limit:
            break
    older = entries[limit - 1].version if len(entries) > limit else None
    return Timeline(entries[:limit], older, _events(topic).aggregate(oldest=Min("version"))["oldest"])


def following(topic: str, viewer: Viewer, *, after: int = 0, limit: int = 50) -> Passages | None:
    """Return up to ``limit`` versions above ``after``, oldest first; ``None``: no such record for this viewer."""
    audience = audience_now(topic, viewer)
    if audience is None:
        return None
    limit = max(1, min(limit, MOST))
    passages: list[Passage] = []
    below = after
    while len(passages) <= limit:
        batch = list(_events(topic).filter(version__gt=below).order_by("version")[: MOST + 1])
        for event in batch:
            if _audience_of(event, viewer) == audience:
                entry = _entry(feed_of(topic), event, viewer, audience)
                passages.append(Passage(entry, log.update_of(event), audience))
        if len(batch) <= MOST:
            break
        below = batch[-1].version
    more = passages[limit - 1].entry.version if len(passages) > limit else None
    return Passages(passages[:limit], more, _events(topic).aggregate(oldest=Min("version"))["oldest"])


def choices(topic: str, viewer: Viewer) -> Choices:
    """Return what an auditor can filter by."""
    feed = feed_of(topic)
    if audience_now(topic, viewer) not in feed.auditors:
        return Choices([], [])
    named = _events(topic).order_by().values_list("actor", "context__source").distinct()[:MOST]
    actors, sources = {actor for actor, _ in named}, {source for _, source in named}
    return Choices(sorted(filter(None, actors)), sorted(filter(None, sources)))


def state_as_of(topic: str, version: int, viewer: Viewer) -> tuple[Update, str] | None:
    """Return ``version`` whole and the audience to mask it for; ``None``: there is no such version for this viewer.

    Its state is null where the record was deleted. Raises ``Trimmed`` for a version that is not kept any more.
    """
    audience = audience_now(topic, viewer)
    if audience is None:
        return None
    event = _events(topic).filter(version=version).first()
    if event is None:
        if 0 < version < log.heads([topic]).get(topic, 0):
            raise Trimmed(f"version {version} of {topic} is not kept any more")
        return None
    return (log.update_of(event), audience) if _audience_of(event, viewer) == audience else None


def audience_now(topic: str, viewer: Viewer) -> str | None:
    """Return how ``viewer`` sees the record; when it is deleted, how an auditor among its last viewers saw it."""
    feed = feed_of(topic)
    newest = log.states([topic]).get(topic)
    if newest is not None:
        return feed.audience_in(viewer, newest.state or {})
    last = _events(topic).order_by("-version").first()
    audience = None if last is None else _audience_of(last, viewer)
    return audience if audience in feed.auditors else None


def _audience_of(event: Event, viewer: Viewer) -> str | None:
    """Return how ``viewer`` sees a version; its deletion as he saw it before."""
    return _audience_in(event.topic, viewer, event.state if event.state is not None else log.state_before(event))


def _audience_in(topic: str, viewer: Viewer, state: State | None) -> str | None:
    return None if state is None else feed_of(topic).audience_in(viewer, state)


def _events(topic: str) -> QuerySet[Event]:
    return Event.objects.using(conf.current().database).filter(topic=topic)


def _entries(topic: str, viewer: Viewer, audience: str, wanted: Wanted, below: int | None) -> Iterator[Entry]:
    """Yield entries, newest first; ``MOST`` events are held at a time."""
    feed = feed_of(topic)
    if _is_hidden(feed, viewer, audience, wanted):
        return
    rows = _matching(topic, wanted).order_by("-version")
    while True:
        batch = list((rows if below is None else rows.filter(version__lt=below))[:MOST])
        for event in batch:
            if _audience_of(event, viewer) == audience:
                yield _entry(feed, event, viewer, audience)
        if len(batch) < MOST:
            return
        below = batch[-1].version


def _is_hidden(feed: type[Feed], viewer: Viewer, audience: str, wanted: Wanted) -> bool:
    """Whether ``wanted`` asks for what this audience does not see: an answer would tell it."""
    if wanted.field and wanted.field not in feed.shown(audience):
        return True
    if audience in feed.auditors:
        return False
    return bool(wanted.source) or wanted.actor not in ("", of_user(viewer.id))


def _matching(topic: str, wanted: Wanted) -> QuerySet[Event]:
    rows = _events(topic)
    if wanted.field:
        made = Q(before__isnull=True, state__has_key=wanted.field)
        rows = rows.filter(made | Q(before__has_key=wanted.field))
    conditions = {
        "actor": wanted.actor or None,
        "context__source": wanted.source or None,
        "at__gte": wanted.since,
        "at__lt": wanted.until,
        "version__gte": wanted.first,
        "version__lte": wanted.last,
    }
    return rows.filter(**{name: value for name, value in conditions.items() if value is not None})


def _entry(feed: type[Feed], event: Event, viewer: Viewer, audience: str) -> Entry:
    before = log.state_before(event)
    was_seen = before is not None and feed.audience_in(viewer, before) == audience
    shown, changed = feed.shown(audience), set(log.changed(event))
    old, new = (before if was_seen and before else {}), event.state or {}
    seen = tuple(
        Change(name, old.get(name), new.get(name), was_seen)
        for name in feed.fields
        if name in shown and name in changed
    )
    is_auditor = audience in feed.auditors
    said = event.context if is_auditor else {}
    return Entry(
        event.version,
        event.at,
        seen,
        {name: new.get(name) for name in feed.fields if name in shown},
        is_first=event.before is None,
        is_deletion=event.state is None,
        actor=event.actor if is_auditor or event.actor == of_user(viewer.id) else "",
        **{name: str(said.get(name, "")) for name in ("source", "request", "reason", "role")},
    )
