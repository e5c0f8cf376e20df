"""The log of committed changes: written in the writer's transaction, read by the relay and the hub.

Everything here is one short database operation and knows no socket and no bus.
"""

import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from django.db import DataError, connections, transaction
from django.db import Error as DatabaseError
from django.db.models import Q
from django.utils import timezone

from . import actor, conf, metrics, rows
from .capture import orm
from .capture.base import plain
from .feeds import Feed, feed_of, key_of
from .models import Epoch, Event, Stream
from .protocol.frames import Update

State = dict[str, Any]
Result = TypeVar("Result")


def on_live_connection(work: Callable[[], Result]) -> Result:
    """Return ``work()``; once more on a new connection when the old one was closed by the server."""
    try:
        return work()
    except DataError:  # of what was asked for: no other connection knows it better
        raise
    except DatabaseError:
        connections[conf.current().database].close()
        return work()


def record(
    feed: type[Feed], key: Any, *, mark: str, wait: bool = True, who: actor.Actor | None = None
) -> Update | None:
    """Write what changed of ``key`` since the last event; ``None`` when nothing declared changed.

    Runs inside the writer's transaction, and the stream stays locked until that ends: versions are dense and in
    commit order. ``mark`` names the transaction: a second call in it rewrites its event, so a transaction has one
    event a topic, and none when it ends where it began. Without ``wait`` a stream that somebody is writing is left to
    him: his event has the whole state. ``who`` writes; default: whoever ``actor`` says.
    """
    using = conf.current().database
    topic = feed.topic(key)
    head, state = _locked(feed, key, using, wait=wait)
    if head is None or state == head.state:
        return None
    who = who or actor.current()
    own = _own_event(topic, head, mark, using)
    if own is not None:
        rewritten = _rewrite(own, state, who, using)
        return None if rewritten is None else update_of(rewritten)
    before = _different(head.state, state)
    names = list(state or {}) if before is None else list(before)
    now = timezone.now()
    version = head.version + 1
    context = context_of(who)
    rows.write(rows.Written(topic, version, state, before, names, who.name, context, now, mark), using=using)
    metrics.captured.labels(feed.name).inc()
    return Update(topic, version, state, tuple(names), plain(now))


def _locked(feed: type[Feed], key: Any, using: str, *, wait: bool) -> tuple[rows.Head | None, State | None]:
    """Return the locked stream of a record, and the state that its row has now.

    The state is read after the lock and as a new statement: what others committed before it is seen.
    """
    reading = orm.Reading(feed, using)
    lock = rows.locking(feed.topic(key), using=using, wait=wait)
    for _ in range(2):
        locked, found = rows.ask(lock, reading.statement([key]), using=using)
        if locked:
            return rows.head(locked[0]), reading.states(found).get(key)
        Stream.objects.using(using).bulk_create([Stream(topic=feed.topic(key))], ignore_conflicts=True)
    return None, None


def _different(before: State | None, state: State | None) -> State | None:
    """Return what of ``before`` is another in ``state``; ``None`` when there was nothing before."""
    return None if before is None else {k: v for k, v in before.items() if state is None or state.get(k) != v}


def _rewrite(event: Event, state: State | None, who: actor.Actor, using: str) -> Event | None:
    """Have this transaction's own event say what the record has become; take it back where that is what it was."""
    before = state_before(event)
    stream = Stream.objects.using(using).get(topic=event.topic)
    stream.state = state
    if before == state:  # A → B → A: the transaction leaves nothing behind
        event.delete(using=using)
        stream.version, stream.transaction = event.version - 1, ""
        stream.save(using=using, update_fields=["version", "state", "transaction"])
        return None
    event.state, event.at, event.actor, event.context = state, timezone.now(), who.name, context_of(who)
    event.before = _different(before, state)
    event.save(using=using)
    stream.at, stream.changed = event.at, changed(event)
    stream.save(using=using, update_fields=["state", "at", "changed"])
    return event


def context_of(who: actor.Actor) -> dict[str, str]:
    """Return what an event keeps of ``who`` beside the name."""
    return {name: value for name in ("source", "request", "reason") if (value := getattr(who, name))}


def differing(feed: type[Feed], keys: Collection[Any]) -> list[Any]:
    """Return those of ``keys`` whose row is not what was last logged; a row that a writer is at may be among them."""
    using = conf.current().database
    topics = {feed.topic(key): key for key in keys}
    logged = dict(Stream.objects.using(using).filter(topic__in=topics).values_list("topic", "state"))
    found = orm.read(feed, keys, using=using)
    return [key for topic, key in topics.items() if logged.get(topic) != found.get(key)]


def reconcile(
    feed: type[Feed], keys: Collection[Any], *, source: str = "reconcile", wait: bool = True, keep: bool = True
) -> list[Update]:
    """Compare rows with the last logged states; each difference becomes an event with this ``source``.

    For what nothing captured, a restored table or a write with triggers off, and for related rows. Locks nothing
    where nothing differs, and one stream at a time where something does. Without ``wait`` a stream that is being
    written is passed over. Without ``keep`` all of it is rolled back: what would be written.
    """
    using = conf.current().database
    written = []
    who = actor.current()
    with actor.acting(who.name, source=source, request=who.request, reason=who.reason):
        for key in sorted(differing(feed, keys), key=feed.topic):
            with transaction.atomic(using=using):
                written.append(record(feed, key, mark=uuid.uuid4().hex, wait=wait))
                if not keep:
                    transaction.set_rollback(True, using=using)
    return [update for update in written if update is not None]


def _own_event(topic: str, head: rows.Head, mark: str, using: str) -> Event | None:
    """Return the event that this same transaction wrote, if it did; savepoints that rolled back took theirs along."""
    if not head.transaction or head.transaction != mark:
        return None
    return Event.objects.using(using).filter(topic=topic, version=head.version, pos=None).first()


def state_before(event: Event) -> State | None:
    """Return the whole state before ``event``; ``None`` when the record did not exist."""
    return None if event.before is None else {**(event.state or {}), **event.before}


def changed(event: Event) -> list[str]:
    """Return the names of the fields that ``event`` changed; all of them when there was no state before."""
    return list(event.state or {}) if event.before is None else list(event.before)


def update_of(event: Event) -> Update:
    """Return the version that ``event`` made."""
    return Update(event.topic, event.version, event.state, tuple(changed(event)), plain(event.at), event.pos)


def _of_stream(stream: Stream) -> Update:
    return Update(stream.topic, stream.version, stream.state, tuple(stream.changed), plain(stream.at))


def heads(topics: Collection[str]) -> dict[str, int]:
    """Return the newest committed version of each of ``topics`` that has one."""
    found = Stream.objects.using(conf.current().database).filter(topic__in=topics)
    return dict(found.values_list("topic", "version"))


def states(topics: Collection[str]) -> dict[str, Update]:
    """Return the newest state of each of ``topics`` that exists, each with its version from one row read (I8).

    A record older than the installation gets its ``Stream`` row here, with version 0: no change is known of it yet.
    """
    using = conf.current().database
    streams = Stream.objects.using(using).filter(topic__in=topics)
    found = {stream.topic: _of_stream(stream) for stream in streams}
    missing: dict[type[Feed], list[Any]] = {}
    for topic in topics:
        if topic not in found:
            missing.setdefault(feed_of(topic), []).append(key_of(topic))
    begun = [feed.topic(key) for feed, keys in missing.items() for key in begin(feed, keys)]
    if begun:
        found |= {stream.topic: _of_stream(stream) for stream in streams.filter(topic__in=begun)}
    return {topic: update for topic, update in found.items() if update.state is not None}


def begin(feed: type[Feed], keys: Collection[Any]) -> list[Any]:
    """Make the ``Stream`` rows, with version 0, of records that have none; return the keys of these records.

    A writer's own row, made meanwhile, wins. In the order of topics, as the capture inserts: nobody waits crosswise.
    """
    using = conf.current().database
    topics = {feed.topic(key): key for key in keys}
    there = Stream.objects.using(using).filter(topic__in=topics).values_list("topic", flat=True)
    missing = [topics[topic] for topic in topics.keys() - set(there)]
    rows = orm.read(feed, missing, using=using) if missing else {}
    streams = [Stream(topic=feed.topic(key), state=rows[key]) for key in sorted(rows, key=feed.topic)]
    Stream.objects.using(using).bulk_create(streams, ignore_conflicts=True)
    return list(rows)


def true_state(topic: str) -> Update | None:
    """Return the state that ``topic``'s row has now; what nothing captured so far becomes an event first."""
    reconcile(feed_of(topic), [key_of(topic)], wait=False)
    return states([topic]).get(topic)


def missed(after: Mapping[str, int], *, limit: int) -> dict[str, list[Update]]:
    """Return what each topic has after the version given: every version in order, or the newest state alone.

    The newest state alone stands for history that is trimmed or longer than ``limit``. Never a part of it.
    """
    using = conf.current().database
    newest = {update.topic: update for update in map(_of_stream, Stream.objects.using(using).filter(topic__in=after))}
    behind = {topic: head for topic, head in newest.items() if head.version > after[topic]}
    wanted = Q()
    for topic, head in behind.items():
        if head.version - after[topic] <= limit:
            wanted |= Q(topic=topic, version__gt=after[topic], version__lte=head.version)
    found: dict[str, list[Update]] = {topic: [] for topic in after}
    if wanted:
        for event in Event.objects.using(using).filter(wanted).order_by("topic", "version"):
            found[event.topic].append(update_of(event))
    for topic, head in behind.items():
        if len(found[topic]) != head.version - after[topic]:
            found[topic] = [head]
    return found


def epoch() -> str:
    """Return the identity of this database's history; it differs after a restored backup was rotated."""
    return _epoch_row(lock=False).epoch


def rotate_epoch() -> str:
    """Give this database's history a new identity, after a restored backup; return it."""
    using = conf.current().database
    with transaction.atomic(using=using):
        row = _epoch_row(lock=True)
        row.epoch = uuid.uuid4().hex
        row.save(using=using, update_fields=["epoch"])
    return row.epoch


def _epoch_row(*, lock: bool) -> Epoch:
    rows = Epoch.objects.using(conf.current().database)
    row = (rows.select_for_update() if lock else rows).first()
    if row is None:
        rows.bulk_create([Epoch()], ignore_conflicts=True)
        row = (rows.select_for_update() if lock else rows).get()
    return row


def hold_settling() -> None:
    """Have every relay wait until this transaction ends: what it rewrites, nobody settles meanwhile."""
    _epoch_row(lock=True)


def settle(*, limit: int) -> tuple[str, list[Update]]:
    """Give the next contiguous positions to up to ``limit`` committed events; return the epoch and these updates.

    One process at a time, by the row lock of ``Epoch`` in a short transaction; a crash leaves either nothing or
    positions without a hint, which repair makes good (I15).
    """
    using = conf.current().database
    if connections[using].vendor == "postgresql":
        epoch, events = rows.settle(limit, using=using)
        return epoch, [update_of(event) for event in events]
    unsettled = Event.objects.using(using).filter(pos=None).order_by("id")
    if not unsettled.exists():
        return "", []
    _epoch_row(lock=False)  # made where it is missing, outside the transaction: two who make it in theirs deadlock
    with transaction.atomic(using=using):
        head = _epoch_row(lock=True)
        events = list(unsettled[:limit])
        if events:
            rows.stamp([event.pk for event in events], head.pos + 1, using=using)
            for event in events:
                head.pos += 1
                event.pos = head.pos
            head.save(using=using, update_fields=["pos"])
    return head.epoch, [update_of(event) for event in events]
