"""Writes of many rows at once, for databases without triggers: ``update``, ``bulk_create``, ``bulk_update``, relations.

Signals do not see them. Querysets of synchronised models write the log in the same transaction; no model has to be
changed for it.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import wraps
from typing import Any

from django.db import models, transaction
from django.db.models import Max, Q, QuerySet

from ..feeds import Feed
from .base import by_triggers
from .sources import Relation, holders_of, relations_of

Rows = QuerySet[Any]
Records = set[tuple[type[Feed], Any]]
Hear = Callable[[str, Records, Collection[tuple[Relation, Any]]], None]
"""Called in the transaction: the alias, the records that the written rows belong to, the related rows written."""

_BATCH = 500


def watch(hear: Hear) -> None:
    """Have every queryset of a synchronised or related model tell ``hear`` what it writes, from now on.

    Django's ``QuerySet`` itself is wrapped: that holds for custom, related and base managers, and leaves their classes
    as pickles, migrations and type checkers know them.
    """
    if not hasattr(QuerySet.update, "__wrapped__"):
        for method, watched in (("update", _update), ("bulk_create", _bulk_create), ("delete", _delete)):
            original = getattr(QuerySet, method)
            setattr(QuerySet, method, wraps(original)(_told(original, watched, hear)))


def _told(original: Callable[..., Any], watched: Callable[..., Any], hear: Hear) -> Callable[..., Any]:
    def method(self: Rows, *args: Any, **kwargs: Any) -> Any:
        self._for_write = True  # type: ignore[attr-defined]
        if not (holders_of(self.model) or relations_of(self.model)) or by_triggers(self.db):
            return original(self, *args, **kwargs)
        with transaction.atomic(using=self.db, savepoint=False):
            return watched(self, original, hear, *args, **kwargs)

    return method


def _update(self: Rows, original: Callable[..., int], hear: Hear, **values: Any) -> int:
    relations = relations_of(self.model, values)
    if self.query.is_sliced or not (relations or holders_of(self.model)):
        return original(self, **values)
    count = 0
    keys = list(self.order_by().values_list("pk", flat=True))
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        before = _owners(self.model, self.db, batch)
        # Only what was found: a row that begins to match meanwhile would be written unseen.
        count += original(self.filter(pk__in=batch), **values)
        after = _owners(self.model, self.db, batch)
        hear(self.db, before | after, [(relation, key) for relation in relations for key in batch])
    return count


def _bulk_create(self: Rows, original: Callable[..., list[Any]], hear: Hear, *args: Any, **kwargs: Any) -> list[Any]:
    rows = self.model._base_manager.using(self.db)
    last = rows.aggregate(last=Max("pk"))["last"] if self.model._meta.auto_field else None
    made = original(self, *args, **kwargs)
    keys = {row.pk for row in made if row.pk is not None}
    if len(keys) < len(made):  # the database did not say: ignored or updated conflicts, no RETURNING
        new = Q(pk__isnull=False) if last is None else Q(pk__gt=last)
        updated = _same(made, kwargs.get("unique_fields")) if kwargs.get("update_conflicts") else Q(pk__in=[])
        keys |= set(rows.filter(new | updated).values_list("pk", flat=True))
    hear(self.db, _owners(self.model, self.db, keys), [])
    return made


def _delete(self: Rows, original: Callable[..., Any], hear: Hear) -> Any:
    """Rows of ordinary models are seen by signals; Django sends none for tables that it made itself."""
    if not self.model._meta.auto_created:
        return original(self)
    before = _owners(self.model, self.db, list(self.values_list("pk", flat=True)))
    deleted = original(self)
    hear(self.db, before, [])
    return deleted


def _owners(model: type[models.Model], using: str, keys: Collection[Any]) -> Records:
    """Return the records that the rows ``keys`` belong to now."""
    found: Records = set()
    wanted = list(keys)
    for holder in holders_of(model):
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            owners: Iterable[Any] = batch
            if holder.moves:
                owners = model._base_manager.using(using).filter(pk__in=batch).values_list(holder.owner, flat=True)
            found.update((holder.feed, owner) for owner in owners if owner is not None)
    return found


def _same(rows: Sequence[Any], unique_fields: Collection[str] | None) -> Q:
    """Return what finds the rows that ``rows`` conflicted with: by the fields that were named, or by any unique ones.

    MySQL and MariaDB let none be named.
    """
    found = Q(pk__in=[])
    for row in rows:
        for names in [unique_fields] if unique_fields else _unique(row):
            found |= Q(**{name: getattr(row, name) for name in names})
    return found


def _unique(row: models.Model) -> Iterable[Collection[str]]:
    """Yield each set of fields that only one row of the model can have as ``row`` has them."""
    meta = row._meta
    alone = [[field.name] for field in meta.concrete_fields if field.unique and not field.primary_key]
    together = [constraint.fields for constraint in meta.total_unique_constraints]
    for names in [*alone, *together, *meta.unique_together]:
        if None not in [getattr(row, meta.get_field(name).attname) for name in names]:  # type: ignore[union-attr]
            yield names
