"""Capture by the ORM: what a saved or deleted row touches, and the state it leaves.

Sees ``save`` and ``delete``, cascades included; ``queries`` sees the writes of many rows. SQL is not seen.
"""

from collections.abc import Collection, Mapping, Sequence
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
    reading = Reading(feed, using)
    with connections[using].cursor() as cursor:
        cursor.execute(*reading.statement(keys))
        return reading.states(cursor.fetchall())


class Reading:
    """The statement that reads states, and what its rows mean."""

    def __init__(self, feed: type[Feed], using: str) -> None:
        self._feed, self._using = feed, using
        self._select = _select(feed, using)

    def statement(self, keys: Collection[Any]) -> tuple[str, list[Any]]:
        """Return the SQL that reads the records ``keys``, one or more, with its values."""
        return self._select.statement(keys)

    def states(self, found: Sequence[Any]) -> dict[Any, State]:
        """Return the states that the rows of the statement are."""
        states = self._select.states(found)
        for name, field in self._feed.fields.items():
            if isinstance(field, Many):
                _fill_lists(self._feed, name, field, states, self._using)
        return states


class _Select:
    """The SELECT of a feed's states as Django compiled it. Compiling it with each save would be four fifths of a save.

    Belongs to one connection, as what Django compiles does.
    """

    def __init__(self, feed: type[Feed], using: str) -> None:
        expressions = _expressions(feed)
        names = ["pk", *(name for name, value in expressions.items() if not isinstance(value, FilteredRelation))]
        rows = feed.model._base_manager.using(using).order_by().annotate(**expressions).values_list(*names)
        self._compiler = rows.query.get_compiler(using)
        sql, self._params = self._compiler.as_sql()
        self._converters = self._compiler.get_converters([column[0] for column in self._compiler.select])
        self._sql = f"SELECT * FROM ({sql}) states WHERE pk IN "
        self._key = feed.model._meta.pk
        self._layout = _Layout(feed, {name: place for place, name in enumerate(names)})

    def statement(self, keys: Collection[Any]) -> tuple[str, list[Any]]:
        wanted = [self._key.get_db_prep_value(key, self._compiler.connection) for key in keys]
        return f"{self._sql}({', '.join(['%s'] * len(wanted))})", [*self._params, *wanted]

    def states(self, found: Sequence[Any]) -> dict[Any, State]:
        """Return the states that ``found`` are, by key, as JSON has them."""
        converted = self._compiler.apply_converters(found, self._converters) if self._converters else found
        return {row[0]: self._layout.state(row) for row in converted}


class _Layout:
    """Which column of a row is which value of the state: found out once, since each save asks."""

    def __init__(self, feed: type[Feed], places: Mapping[str, int]) -> None:
        self._empty: State = {}
        self._columns = [(gate, places[f"rt_{gate}"]) for gate in feed.gates]
        for name, field in feed.fields.items():
            if isinstance(field, Field):
                self._columns.append((name, places[f"rt_{name}"]))
            else:
                self._empty[name] = field.default if isinstance(field, Slot) else None
        self._lists = [name for name, field in feed.fields.items() if isinstance(field, Many)]
        self._parts = [
            (
                places[f"rt_part{index}_is_there"],
                [(name, _places(places, f"rt_part{index}_{name}", value)) for name, value in part.fills.items()],
            )
            for index, part in enumerate(feed.parts)
        ]

    def state(self, row: Sequence[Any]) -> State:
        state = {name: plain(row[place]) for name, place in self._columns} | self._empty
        for name in self._lists:
            state[name] = []
        for is_there, fills in self._parts:
            if row[is_there] is not None:
                for name, place in fills:
                    if isinstance(place, int):
                        state[name] = plain(row[place])
                    else:
                        state[name] = {key: plain(row[number]) for key, number in place.items()}
        return state


def _places(places: Mapping[str, int], prefix: str, value: Field | Record) -> int | dict[str, int]:
    if isinstance(value, Record):
        return {key: places[f"{prefix}_{key}"] for key in value.paths}
    return places[prefix]


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
