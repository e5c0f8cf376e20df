"""Capture by the ORM: what a saved or deleted row touches, and the state it leaves.

Sees ``save`` and ``delete`` (cascades included). ``QuerySet.update``, bulk calls and SQL send no signals and are
not seen here.
"""

from collections.abc import Collection, Iterable
from contextlib import nullcontext
from decimal import Decimal
from functools import wraps
from typing import Any

from django.db import models, router, transaction
from django.db.models import F, Subquery

from ..feeds import Feed, Field, Part, Record, feeds_of
from .base import by_triggers, newest_of, plain, way_to

State = dict[str, Any]


def touched(instance: models.Model) -> Iterable[tuple[type[Feed], Any]]:
    """Yield each feed and key whose state ``instance`` is a part of."""
    for feed, attribute in feeds_of(type(instance)):
        key = getattr(instance, attribute)
        if key is not None:
            yield feed, key


def read(feed: type[Feed], keys: Collection[Any], *, using: str) -> dict[Any, State]:
    """Return the state of each record that exists, gates included: one statement, stored columns only."""
    expressions = _expressions(feed)
    rows = feed.model._base_manager.using(using).filter(pk__in=keys).annotate(**expressions).values("pk", *expressions)
    return {row["pk"]: _state(feed, row) for row in rows}


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
    return _Newest(newest_of(part).values(path)[:1]) if part.newest else F(f"{way_to(part)}__{path}")


class _Newest(Subquery):
    """The value as its column has it: SQLite forgets the places of a decimal that a subquery returns."""

    def get_db_converters(self, connection: Any) -> list[Any]:
        field = self.output_field
        converters = list(super().get_db_converters(connection))
        if not isinstance(field, models.DecimalField):
            return converters
        unit = Decimal(1).scaleb(-field.decimal_places)
        return [*converters, lambda value, *_: None if value is None else value.quantize(unit)]


def _state(feed: type[Feed], row: dict[str, Any]) -> State:
    state: State = {gate: plain(row[f"rt_{gate}"]) for gate in feed.gates}
    for name, field in feed.fields.items():
        state[name] = plain(row[f"rt_{name}"]) if isinstance(field, Field) else field.default
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
