"""Erasure: one person's data leave the log; versions, times and everybody else's values stay as they are.

What is the person's: ``user:<key>`` as the actor, with the reason he wrote and the request he sent; and each field that
a feed declares ``personal`` by a gate, wherever that gate holds his key, in every state and every value before. Keys
themselves stay: they are what the history hangs on, and lead to nobody once his row is gone.

The live rows are the project's to erase, and first: what stands in them, the next change writes into the log again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from . import conf, log
from .actor import of_user
from .feeds import Feed, Field, all_feeds
from .log import State
from .models import Event, Stream

ERASED = "[erased]"
"""What stands where the person stood."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was rewritten of one topic."""

    topic: str
    events: int
    stream: bool


def topics_of(key: Any) -> list[str]:
    """Return the topics in whose log the person ``key`` (as JSON has it) may stand."""
    using = conf.current().database
    events, streams = Q(actor=of_user(key)), Q(pk__in=[])
    for feed in all_feeds():
        for gate in sorted(set(_personal(feed).values())):
            name = {"topic__startswith": f"{feed.name}."}
            streams |= Q(**name, **{f"state__{gate}": key})
            events |= Q(**name, **{f"state__{gate}": key}) | Q(**name, **{f"before__{gate}": key})
    found = set(Event.objects.using(using).filter(events).values_list("topic", flat=True))
    return sorted(found | set(Stream.objects.using(using).filter(streams).values_list("topic", flat=True)))


def erase(key: Any, *, batch: int = 500) -> Iterator[Erased]:
    """Erase the person ``key`` from the log, topic by topic; yield what was done. Done twice, it finds nothing."""
    using = conf.current().database
    for topic in topics_of(key):
        with transaction.atomic(using=using):
            # The stream first, as writers lock it; then the row that the relay settles under. Neither takes both.
            stream = Stream.objects.using(using).select_for_update().filter(topic=topic).first()
            log.hold_settling()
            events = _erase_events(topic, key, using, batch)
            done = Erased(topic, events, stream is not None and _erase_stream(stream, key, using))
        if done.events or done.stream:
            yield done


def _erase_events(topic: str, key: Any, using: str, batch: int) -> int:
    rows = Event.objects.using(using).filter(topic=topic).order_by("version")
    count, after = 0, 0
    while events := list(rows.filter(version__gt=after)[:batch]):
        after = events[-1].version
        rewritten = [event for event in events if _erase_event(event, key)]
        Event.objects.using(using).bulk_update(rewritten, ["state", "before", "actor", "context"])
        count += len(rewritten)
    return count


def _erase_event(event: Event, key: Any) -> bool:
    """Take ``key`` out of ``event``; whether there was anything to take."""
    old = (event.state, event.before, event.actor, event.context)
    whole = log.state_before(event)
    personal = _fields_in(event.topic, whole, key)
    if event.before is not None:
        event.before = {name: _token(value) if name in personal else value for name, value in event.before.items()}
    event.state = _without(event.topic, event.state, key)
    if event.actor == of_user(key):
        event.actor = ERASED
        event.context = {name: ERASED if name in ("request", "reason") else v for name, v in event.context.items()}
    return old != (event.state, event.before, event.actor, event.context)


def _erase_stream(stream: Stream, key: Any, using: str) -> bool:
    state = _without(stream.topic, stream.state, key)
    if state == stream.state:
        return False
    stream.state = state
    stream.save(using=using, update_fields=["state"])
    return True


def _without(topic: str, state: State | None, key: Any) -> State | None:
    if state is None:
        return None
    personal = _fields_in(topic, state, key)
    return {name: _token(value) if name in personal else value for name, value in state.items()}


def _fields_in(topic: str, state: State | None, key: Any) -> set[str]:
    """Return the fields of ``state`` that are the person's."""
    feed = next((feed for feed in all_feeds() if feed.name == topic.partition(".")[0]), None)  # none: declared no more
    if feed is None or state is None:
        return set()
    return {name for name, gate in _personal(feed).items() if state.get(gate) == key}


def _personal(feed: type[Feed]) -> dict[str, str]:
    """Return each personal field with the gate that says whose it is."""
    return {name: field.personal for name, field in feed.fields.items() if isinstance(field, Field) and field.personal}


def _token(value: Any) -> Any:
    """Return what stands for a personal value: nothing where there was nothing, or no text."""
    return ERASED if isinstance(value, str) and value else value and None
