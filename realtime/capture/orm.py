"""Capture by the ORM: what a saved or deleted row touches, and the state it leaves.

Sees ``save`` and ``delete``, cascades included; ``queries`` sees the writes of many rows. SQL is not seen.
"""

from collections.abc import Collection
from contextlib import nullcontext
from decimal import Decimal
from functools import wraps
from typing import Any

from django.db import models, router, transaction
from django.db.models import F, Subquery

from ..feeds import Feed, Field, Many, Part, Record, Slot
from .base import by_triggers, newest_of, plain, way_to
from .sources import far_path, holders_of, through

State = dict[str, Any]

_LEFT = "_realtime_left"


def touched(instance: models.Model) -> set[tuple[type[Feed], Any]]:
    """Return each record whose state ``instance`` is a part of, and the one that ``remember_owner`` saw it leave."""
    found = {(holder.feed, getattr(instance, holder.owner)) for holder in holders_of(type(instance))}
    found |= instance.__dict__.pop(_LEFT, set())
    return {(feed, key) for feed, key in found if key is not None}


def remember_owner(instance: models.Model, using: str) -> None:
    """Before a save: keep whose the row is now. A row may move, and its old record changes as well."""
    moving = [holder for holder in holders_of(type(instance)) if holder.moves]
    if moving and not instance._state.adding:
        rows = type(instance)._base_manager.using(using).filter(pk=instance.pk).values(*(h.owner for h in moving))
        instance.__dict__[_LEFT] = {(holder.feed, row[holder.owner]) for row in rows for holder in moving}


def read(feed: type[Feed], keys: Collection[Any], *, using: str) -> dict[Any, State]:
    """Return the state of each record that exists, gates included: stored columns only.

    One statement, and one more for each many-to-many relation.
    """
    expressions = _expressions(feed)
    rows = feed.model._base_manager.using(using).filter(pk__in=keys).annotate(**expressions).values("pk", *expressions)
    found = {row["pk"]: _state(feed, row) for row in rows}
    for name, field in feed.fields.items():
        if isinstance(field, Many):
            _fill_lists(feed, name, field, found, using)
    return found


def _fill_lists(feed: type[Feed], name: str, many: Many, found: dict[Any, State], using: str) -> None:
    holder, path = through(feed, many), far_path(feed, many)
    rows = holder.model._base_manager.using(using).filter(**{f"{holder.owner}__in": list(found)})
    for key, value in rows.order_by(path, "pk").values_list(holder.owner, path):
        found[key][name].append(plain(value))


def save_inside_transaction(model: type[models.Model]) -> None:
    """Make ``save`` and its signals one transaction, so that a row never commits without its event.

    Django sends ``post_save`` after ``save_base`` has committed when no ``atomic`` surrounds it
    (django/db/models/base.py, ``save_base``).
    """
    original = model.save_base
    if getattr(original, "_realtime", False):
        return

    @wraps(original)
    def save_base(self: models.Model, *args: Any, using: str | None = None, **kwargs: Any) -> None:
        using = using or router.db_for_write(type(self), instance=self)
        own = nullcontext() if by_triggers(using) else transaction.atomic(using=using, savepoint=False)
        with own:
            original(self, *args, **kwargs, using=using)  # type: ignore[misc]

    save_base._realtime = True  # type: ignore[attr-defined]
    model.save_base = save_base  # type: ignore[method-assign]


class _OfNewest(Subquery):
    """A column of the part's newest row, with the scale of a decimal: SQLite forgets that in a subquery."""

    def get_db_converters(self, connection: Any) -> list[Any]:
        converters = list(super().get_db_converters(connection))
        if isinstance(self.output_field, models.DecimalField):
            unit = Decimal(1).scaleb(-self.output_field.decimal_places)
            converters.append(lambda value, *_: value if value is None else value.quantize(unit))
        return converters


def _expressions(feed: type[Feed]) -> dict[str, Any]:
    """Return the annotations that read the whole state in one SELECT."""
    found: dict[str, Any] = {f"rt_{gate}": F(gate) for gate in feed.gates}
    for name, field in feed.fields.items():
        if isinstance(field, Field):
            found[f"rt_{name}"] = F(field.path.replace(".", "__"))
    for index, part in enumerate(feed.parts):
        found |= _part_expressions(part, f"rt_part{index}")
    return found


def _part_expressions(part: type[Part], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in part.fills.items():
        paths = {f"_{k}": path for k, path in value.paths.items()} if isinstance(value, Record) else {"": value.path}
        for suffix, path in paths.items():
            found[f"{prefix}_{name}{suffix}"] = _part_column(part, path)
        found[f"{prefix}_{name}_is_there"] = _part_column(part, "pk")
    return found


def _part_column(part: type[Part], path: str) -> Any:
    path = path.replace(".", "__")
    return _OfNewest(newest_of(part).values(path)[:1]) if part.newest else F(f"{way_to(part)}__{path}")


def _state(feed: type[Feed], row: dict[str, Any]) -> State:
    state: State = {gate: plain(row[f"rt_{gate}"]) for gate in feed.gates}
    for name, field in feed.fields.items():
        match field:
            case Field():
                state[name] = plain(row[f"rt_{name}"])
            case Many():
                state[name] = []
            case Slot():
                state[name] = field.default
    for index, part in enumerate(feed.parts):
        for name, value in part.fills.items():
            prefix = f"rt_part{index}_{name}"
            if row[f"{prefix}_is_there"] is None:
                continue
            if isinstance(value, Record):
                state[name] = {k: plain(row[f"{prefix}_{k}"]) for k in value.paths}
            else:
                state[name] = plain(row[prefix])
    return state
