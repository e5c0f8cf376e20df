"""What the log has of a record, and what a user is shown of it: without a socket, inside the test's transaction."""

from typing import TYPE_CHECKING, Any

from django.db import models

from .. import conf
from ..exceptions import DeclarationError
from ..feeds import all_feeds, feed_of, key_of

if TYPE_CHECKING:
    from ..models import Event

Frame = dict[str, Any]
Values = dict[str, Any]


def topic_of(record: "models.Model | str") -> str:
    """Return the topic of a row of a declared model; a topic is its own, for what has been deleted."""
    if isinstance(record, str):
        return record
    for feed in all_feeds():
        if isinstance(record, feed.model):
            return feed.topic(record.pk)
    raise DeclarationError(f"no feed declares {type(record).__name__}: give the record that the row belongs to")


def events_of(record: "models.Model | str") -> "list[Event]":
    """Return the events of a record, or of a topic such as ``"order.12"``, oldest first."""
    from ..models import Event

    rows = Event.objects.using(conf.current().database)
    return list(rows.filter(topic=topic_of(record)).order_by("version"))


def frames_of(record: "models.Model | str", user: Any) -> list[Frame]:
    """Return the frame of each version that ``user`` may see, masked for him, oldest first."""
    from .. import log
    from ..masking import audience_of, frame_for

    topic = topic_of(record)
    viewer = feed_of(topic).viewer(user)
    seen = [(update, audience_of(update, viewer)) for update in log.missed({topic: 0}, limit=2**63)[topic]]
    return [frame_for(update, audience) for update, audience in seen if audience is not None]


def row_as_seen(topic: str, user: Any) -> Values | None:
    """Return the declared values of the row as it is now, masked for ``user``; ``None``: nothing for him to see."""
    from ..capture import orm

    feed, key = feed_of(topic), key_of(topic)
    state = orm.read(feed, [key], using=conf.current().database).get(key)
    if state is None:
        return None
    audience = feed.audience(feed.viewer(user), {gate: state.get(gate) for gate in feed.gates})
    if audience is None:
        return None
    shown = feed.shown(audience)
    return {name: state.get(name) if name in shown else None for name in feed.fields}


def values_in(frame: Frame | None, topic: str) -> Values | None:
    """Return the declared values of a frame."""
    return None if frame is None else {name: frame.get(name) for name in feed_of(topic).fields}


def difference(seen: Values | None, row: Values | None) -> str:
    """Say where a viewer's state and the row disagree; empty when they do not."""
    if seen is None or row is None:
        return "" if seen is row else f"shown {'nothing' if seen is None else 'a state'}, the row is {row}"
    return "; ".join(
        f"{name}: shown {seen[name]!r}, the row has {row[name]!r}" for name in row if seen[name] != row[name]
    )


def assert_in_step(record: "models.Model | str", *users: Any) -> None:
    """Assert that each of ``users`` is shown what the row holds: the newest version, masked, is the masked row.

    Who may not see the record must be shown nothing now. Fails where a write escaped the capture.
    """
    from .. import log
    from ..masking import audience_of, frame_for

    topic = topic_of(record)
    newest = log.states([topic]).get(topic)
    for user in users:
        audience = newest and audience_of(newest, feed_of(topic).viewer(user))
        seen = values_in(frame_for(newest, audience), topic) if newest and audience else None
        wrong = difference(seen, row_as_seen(topic, user))
        assert not wrong, f"{topic} as {user} is not in step: {wrong}"
