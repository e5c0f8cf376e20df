"""Capture by the ORM: what a saved or deleted row touches, and the state it leaves.

Sees ``save`` and ``delete``, cascades included; ``queries`` sees the writes of many rows. SQL is not seen.
"""

from collections.abc import Collection, Iterable
from contextlib import nullcontext
from functools import wraps
from typing import Any

from django.db import connections, models, router, transaction
from django.db.models import F, FilteredRelation, Q, Subquery

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
    if not keys:
        return {}
    found = {row["pk"]: _state(feed, row) for row in _select(feed, using).rows(keys)}
    for name, field in feed.fields.items():
        if isinstance(field, Many):
            _fill_lists(feed, name, field, found, using)
    return found


class _Select:
    """The SELECT of a feed's states as Django compiled it. Compiling it with each save would be four fifths of a save.

    Belongs to one connection, as what Django compiles does.
    """

    def __init__(self, feed: type[Feed], using: str) -> None:
        expressions = _expressions(feed)
        self._names = ["pk", *(name for name, value in expressions.items() if not isinstance(value, FilteredRelation))]
        rows = feed.model._base_manager.using(using).order_by().annotate(**expressions).values_list(*self._names)
        self._compiler = rows.query.get_compiler(using)
        sql, self._params = self._compiler.as_sql()
        self._converters = self._compiler.get_converters([column[0] for column in self._compiler.select])
        self._sql = f"SELECT * FROM ({sql}) states WHERE pk IN "
        self._key = feed.model._meta.pk

    def rows(self, keys: Collection[Any]) -> Iterable[dict[str, Any]]:
        """Yield what each record has, by name, as Python has it."""
        connection = self._compiler.connection
        wanted = [self._key.get_db_prep_value(key, connection) for key in keys]
        with connection.cursor() as cursor:
            cursor.execute(f"{self._sql}({', '.join(['%s'] * len(wanted))})", (*self._params, *wanted))
            found = cursor.fetchall()
        converted = self._compiler.apply_converters(found, self._converters)
        return (dict(zip(self._names, row, strict=True)) for row in converted)


def _select(feed: type[Feed], using: str) -> _Select:
    """Return the statement of this thread's connection; made anew when the feed has got another part."""
    connection = connections[using]
    made: dict[Any, _Select] = vars(connection).setdefault("realtime_selects", {})
    declared = (feed, *feed.parts)
    if declared not in made:
        made[declared] = _Select(feed, using)
    return made[declared]


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
    """Return the columns of the part's row that counts, joined once for all slots, and its key."""
    found: dict[str, Any] = {}
    row = way_to(part)
    if part.newest:
        newest = Subquery(newest_of(part).values("pk")[:1])
        found[f"{prefix}_row"] = FilteredRelation(row, condition=Q(**{f"{row}__pk": newest}))
        row = f"{prefix}_row"
    found[f"{prefix}_is_there"] = F(f"{row}__pk")
    for name, value in part.fills.items():
        paths = {f"_{k}": path for k, path in value.paths.items()} if isinstance(value, Record) else {"": value.path}
        for suffix, path in paths.items():
            found[f"{prefix}_{name}{suffix}"] = F(f"{row}__{path.replace('.', '__')}")
    return found


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
        if row[f"rt_part{index}_is_there"] is None:
            continue
        for name, value in part.fills.items():
            prefix = f"rt_part{index}_{name}"
            if isinstance(value, Record):
                state[name] = {k: plain(row[f"{prefix}_{k}"]) for k in value.paths}
            else:
                state[name] = plain(row[prefix])
    return state
