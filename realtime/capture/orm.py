"""Capture by the ORM: what a saved or deleted row touches, and the state it leaves.

Sees ``save`` and ``delete`` (cascades included). ``QuerySet.update``, bulk calls and SQL send no signals and are
not seen here.
"""

import datetime
import uuid
from collections.abc import Collection, Iterable
from decimal import Decimal
from functools import wraps
from typing import Any

from django.db import models, router, transaction
from django.db.models import F, OuterRef, Subquery

from ..exceptions import DeclarationError
from ..feeds import Feed, Field, Part, Record, feeds_of

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


def plain(value: Any) -> Any:
    """Return a stored value as JSON has it: decimals as strings, times in UTC with ``Z``.

    >>> plain(Decimal("85.50")), plain(datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC))
    ('85.50', '2026-01-02T03:04:05.000Z')
    """
    match value:
        case None | bool() | int() | str() | float():
            return value
        case Decimal():
            return f"{value:f}"
        case datetime.datetime():
            return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case uuid.UUID():
            return str(value)
        case dict() | list():
            return value
    raise DeclarationError(f"a declared field holds a {type(value).__name__}, which has no place in JSON")


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
        with transaction.atomic(using=using, savepoint=False):
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
            found[f"{prefix}_{name}{suffix}"] = _part_column(part, path.replace(".", "__"))
        found[f"{prefix}_{name}_is_there"] = _part_column(part, "pk")
    return found


def _part_column(part: type[Part], path: str) -> Any:
    if part.newest:
        rows = part.model._base_manager.filter(**{part.owner: OuterRef("pk")}, **part.where).order_by(f"-{part.newest}")
        return Subquery(rows.values(path)[:1])
    owner = part.model._meta.get_field(part.owner)
    assert isinstance(owner, models.ForeignKey)  # realtime.E005 says so in words
    back = owner.related_query_name()
    return F(f"{back}__{path}")


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
