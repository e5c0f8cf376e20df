"""Related rows: a change of one is marked in its writer's transaction, and told to the open records afterwards.

A user who changes his name does not wait for a hundred orders to be written anew, and nothing is lost when the
process dies: marks are rows, and a mark goes away with the last record that it was told to.
"""

from collections.abc import Collection
from typing import Any

from django.db import connections, transaction

from . import conf, log, rows
from .actor import Actor, acting
from .capture.sources import Relation, relation_named
from .feeds import Feed, feed_named
from .models import Sweep

BATCH = 200
"""Records that one transaction of the sweep compares."""


def mark(related: Collection[tuple[Relation, Any]], *, using: str, who: Actor) -> None:
    """Keep, in the writer's transaction, that these related rows were changed."""
    _keep([(relation.holder.feed, relation.name, key) for relation, key in related], using, who)


def mark_records(records: Collection[tuple[type[Feed], Any]], *, using: str, who: Actor) -> None:
    """Keep that these records themselves are to be compared after the commit."""
    _keep([(feed, "", key) for feed, key in records], using, who)


def _keep(marks: Collection[tuple[type[Feed], str, Any]], using: str, who: Actor) -> None:
    context = log.context_of(who)
    made = [Sweep(feed=f.name, relation=r, key=str(k), actor=who.name, context=context) for f, r, k in marks]
    Sweep.objects.using(using).bulk_create(made)


def sweep() -> int:
    """Tell every open record what was marked so far; return the number of events that this made.

    One transaction a batch; several processes at once take different marks.
    """
    using = conf.current().database
    written = 0
    while rows.is_marked(using=using):
        with transaction.atomic(using=using):
            marked = _next(using)
            if marked is None:  # others have what is left
                break
            written += _tell(marked, using)
    return written


def _next(using: str) -> Sweep | None:
    skips = connections[using].features.has_select_for_update_skip_locked
    return Sweep.objects.using(using).select_for_update(skip_locked=skips).order_by("id").first()


def _tell(marked: Sweep, using: str) -> int:
    """Compare the next batch of records; the mark goes with the last one."""
    feed = feed_named(marked.feed)
    keys = _records(feed, marked, using)
    said = marked.context
    with acting(marked.actor, request=said.get("request", ""), reason=said.get("reason", "")):
        events = log.reconcile(feed, keys, source="related")
    if len(keys) < BATCH:
        marked.delete(using=using)
    else:
        marked.after = str(keys[-1])
        marked.save(using=using, update_fields=["after"])
    return len(events)


def _records(feed: type[Feed], marked: Sweep, using: str) -> list[Any]:
    relation = relation_named(feed, marked.relation)
    if relation is not None:
        found = relation.records(marked.key)
    elif not marked.relation:
        found = feed.model._base_manager.filter(pk=marked.key)
    else:
        return []  # no longer declared
    if marked.after:
        found = found.filter(pk__gt=marked.after)
    return list(found.using(using).order_by("pk").values_list("pk", flat=True)[:BATCH])
