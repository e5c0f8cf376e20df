"""Which rows a feed's state is made of: its own, exactly and at once, and related ones, which follow by sweep."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from django.apps import apps
from django.db import models

from ..feeds import Feed, Many, Record, Slot, all_feeds

Model = type[models.Model]
Column: TypeAlias = "models.Field[Any, Any]"


@dataclass(frozen=True, slots=True)
class Holder:
    """A model whose rows belong to records of ``feed``: its own model, a part, the table of a many-to-many relation.

    ``owner`` is the attribute that holds the record's key; a row may move from one record to another.
    """

    feed: type[Feed]
    model: Model
    owner: str

    @property
    def moves(self) -> bool:
        return self.owner != "pk"


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows of ``model`` that a state shows ``columns`` of, found from a holder's row by the ORM path ``path``."""

    holder: Holder
    path: str
    model: Model
    columns: frozenset[Column]

    @property
    def name(self) -> str:
        """What marks of this relation are kept under."""
        return f"{self.holder.model._meta.label_lower}:{self.path}"

    def reads(self, names: Collection[str]) -> bool:
        """Whether one of the columns goes by one of ``names``, as ``update_fields`` and ``update()`` write them."""
        return any(column.name in names or column.attname in names for column in self.columns)

    def records(self, key: str) -> "models.QuerySet[models.Model]":
        """Return the open records that show the related row ``key``."""
        feed, base = self.holder.feed, self.holder.model._base_manager
        owners = base.filter(**{self.path: key}).values(self.holder.owner)
        return feed.model._base_manager.filter(feed.open, pk__in=owners)


def holders(feed: type[Feed]) -> list[Holder]:
    """Return every model whose rows are captured as changes of ``feed``, once."""
    found = [Holder(feed, feed.model, "pk")]
    found += [Holder(feed, part.model, f"{part.owner}_id") for part in feed.parts]
    found += [through(feed, field) for field in feed.fields.values() if isinstance(field, Many)]
    return list(dict.fromkeys(found))


def captured_tables(holder: Holder) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield each table that holds columns of the holder's rows: its own, and those of the models it inherits.

    With the column that holds the record's key, and, where that stands in another table of the row, the table and
    the column that lead there: inherited tables share the row's key.
    """
    home = holder.model if holder.owner == "pk" else _column(holder.model, holder.owner).model
    lineage = [holder.model, *holder.model._meta.get_parent_list()]
    key = str(home._meta.pk.column)
    owner = key if holder.owner == "pk" else str(_column(home, holder.owner).column)
    for model in lineage:
        if model is home:
            yield model._meta.db_table, owner, ()
        else:
            yield model._meta.db_table, str(model._meta.pk.column), (home._meta.db_table, key, owner)


def through(feed: type[Feed], many: Many) -> Holder:
    """Return the table between: its rows belong to the record that has the relation."""
    relation = feed.model._meta.get_field(many.path.partition(".")[0])
    assert isinstance(relation, models.ManyToManyField)  # realtime.E005 says so in words
    table: Model = relation.remote_field.through  # type: ignore[assignment]
    owner = table._meta.get_field(relation.m2m_field_name())
    return Holder(feed, table, owner.attname)  # type: ignore[union-attr]


def far_path(feed: type[Feed], many: Many) -> str:
    """Return the ORM path from the table between to the value."""
    name, _, rest = many.path.partition(".")
    relation: Any = feed.model._meta.get_field(name)
    return "__".join([relation.m2m_reverse_field_name(), *rest.split(".")])


def relations(feed: type[Feed]) -> list[Relation]:
    """Return every related row's way into a state, with the columns that are read of it; deeper ways too."""
    found: dict[tuple[Holder, str], tuple[Model, set[Column]]] = {}
    for holder, path in _paths(feed):
        model, way = holder.model, ""
        *hops, last = path.split("__")
        for index, hop in enumerate(hops):
            way = f"{way}__{hop}" if way else hop
            model = _target(model, hop)
            column = hops[index + 1] if index + 1 < len(hops) else last
            found.setdefault((holder, way), (model, set()))[1].add(_column(model, column))
    return [Relation(holder, way, model, frozenset(columns)) for (holder, way), (model, columns) in found.items()]


def _target(model: Model, hop: str) -> Model:
    return model._meta.get_field(hop).related_model  # type: ignore[return-value]


def _column(model: Model, name: str) -> Column:
    return model._meta.pk if name == "pk" else model._meta.get_field(name)  # type: ignore[return-value]


def _paths(feed: type[Feed]) -> Iterator[tuple[Holder, str]]:
    """Yield each declared path that crosses to another model, as the ORM writes it."""
    for field in feed.fields.values():
        if isinstance(field, Many):
            yield through(feed, field), far_path(feed, field)
        elif not isinstance(field, Slot):
            yield Holder(feed, feed.model, "pk"), field.path.replace(".", "__")
    for part in feed.parts:
        holder = Holder(feed, part.model, f"{part.owner}_id")
        for value in part.fills.values():
            for path in value.paths.values() if isinstance(value, Record) else [value.path]:
                yield holder, path.replace(".", "__")


Declared = tuple[tuple[type[Feed], int], ...]


def _declared() -> Declared:
    """Return what changes with every declaration."""
    return tuple((feed, len(feed.parts)) for feed in all_feeds())


@cache
def _holders(declared: Declared, model: Model | None) -> list[Holder]:
    found = (holder for feed, _ in declared for holder in holders(feed))
    return [holder for holder in found if model is None or issubclass(model, holder.model)]


@cache
def _relations(declared: Declared, model: Model | None) -> list[Relation]:
    found = (relation for feed, _ in declared for relation in relations(feed))
    return [relation for relation in found if model is None or issubclass(model, relation.model)]


def holders_of(model: Model) -> list[Holder]:
    """Return what rows of ``model``, a proxy or a child of a holder's model included, belong to."""
    return _holders(_declared(), model)


def relations_of(model: Model, columns: Collection[str] | None = None) -> list[Relation]:
    """Return the relations that rows of ``model`` are at the end of; with ``columns``, those that read one of them."""
    found = _relations(_declared(), model)
    return [relation for relation in found if columns is None or relation.reads(columns)]


def relation_named(feed: type[Feed], name: str) -> Relation | None:
    return next((relation for relation in relations(feed) if relation.name == name), None)


def held_models() -> list[Model]:
    """Return every model whose rows are a part of a state, proxies and children included."""
    return _models(tuple(holder.model for holder in _holders(_declared(), None)))


def related_models() -> list[Model]:
    """Return every model that a state shows a column of, proxies and children included."""
    return _models(tuple(relation.model for relation in _relations(_declared(), None)))


def _models(bases: tuple[Model, ...]) -> list[Model]:
    return [model for model in apps.get_models(include_auto_created=True) if issubclass(model, bases)]


def written_tables() -> frozenset[str]:
    """Return the tables whose writes can change a state."""
    return _tables(_declared())


@cache
def _tables(declared: Declared) -> frozenset[str]:
    return frozenset(model._meta.db_table for model in [*held_models(), *related_models()])
