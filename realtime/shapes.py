"""The frames that carry a feed's values, as types: made of the declaration and of the columns that it reads.

Nothing on the way of a frame needs them. The contract (``asyncapi``) and tests do.
"""

import datetime
import uuid
from collections.abc import Iterable
from functools import cache
from types import GenericAlias
from typing import Annotated, Any, Literal, Union

import msgspec
from django.db import models
from msgspec import UNSET, Meta, UnsetType

from .feeds import Feed, Field, Many, Record

Type = Any

Moment = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z$",
        extra_json_schema={"format": "date-time"},
    ),
]
Version = Annotated[int, Meta(ge=0, description="1, 2, 3 …; 0 for a record older than the installation.")]


def update_type(feed: type[Feed]) -> Type:
    """Return the type of ``<name>.update``: the whole state that its viewer may see."""
    versions = [
        ("version", Version),
        (
            "changed",
            Annotated[_list_of(_one_of(feed.fields)), Meta(description="Changed by this version, and visible.")],
        ),
    ]
    prev = Annotated[
        int | UnsetType | None,
        Meta(description="Only when it is not `version − 1`: what this socket had before; null: nothing."),
    ]
    about = "The whole state that this viewer may see. A newer one replaces an older one."
    return _frame(feed, f"{_title(feed)}Update", about, {}, versions, [("prev", prev, UNSET)])


def message_type(feed: type[Feed]) -> Type:
    """Return the type of a foreign message in the plain dialect: the state again, with other words and no version."""
    about = "What the viewer has, once more, with a message of other code. It is words, not a newer state."
    return _frame(feed, f"{_title(feed)}Message", about, {"message": Annotated[str, Meta(max_length=500)]}, [], [])


def _frame(
    feed: type[Feed], title: str, about: str, values: dict[str, Type], versions: list[Any], optional: list[Any]
) -> Type:
    hideable = [name for name in feed.fields if _is_hidden_from_some(feed, name)]
    key = _plain_type(feed.model._meta.pk)
    return msgspec.defstruct(
        title,
        [
            (f"{feed.name}_id", key),
            *(_values(feed) | values).items(),  # type: ignore[arg-type] # classes are hashable
            ("timestamp", Annotated[Moment, Meta(description="When the change was made.")]),
            *versions,
            ("masked", Annotated[_list_of(_one_of(hideable)), Meta(description="Hidden from this viewer: null.")]),
            *optional,
        ],
        namespace={"__doc__": about},
        tag=f"{feed.name}.update",
        frozen=True,
        kw_only=True,
    )


@cache
def _values(feed: Any) -> dict[str, Type]:
    """Return each declared field with its type: the same types for every frame of the feed."""
    return {name: _value_type(feed, name) for name in feed.fields}


def _title(feed: type[Feed]) -> str:
    return feed.name.title().replace("_", "")


def _one_of(values: Iterable[int | str]) -> Type:
    return Literal[tuple(values)] if tuple(values) else str


def _list_of(kind: Type) -> Type:
    return GenericAlias(list, (kind,))


def _is_hidden_from_some(feed: type[Feed], name: str) -> bool:
    to = feed.fields[name].to
    return to is not None and not to.issuperset(feed.audiences)


def _value_type(feed: type[Feed], name: str) -> Type:
    """Return what a declared field holds, null where somebody does not see it or it may be absent."""
    field = feed.fields[name]
    found: list[Type]
    if isinstance(field, Field):
        found = [_path_type(feed.model, field.path)]
        may_be_absent = bool(field.personal)
    elif isinstance(field, Many):
        found = [_list_of(_plain_type(_hops(feed.model, field.path)[-1]))]
        may_be_absent = False
    else:
        found = _slot_types(feed, name)
        may_be_absent = field.default is None
    if may_be_absent or _is_hidden_from_some(feed, name):
        found.append(None)
    return _either(found)


def _slot_types(feed: type[Feed], name: str) -> list[Type]:
    found: list[Type] = []
    for part in feed.parts:
        filled = part.fills.get(name)
        if isinstance(filled, Record):
            paths = [(key, _path_type(part.model, path)) for key, path in filled.paths.items()]
            found.append(msgspec.defstruct(f"{_title(feed)}{name.title().replace('_', '')}", paths, frozen=True))
        elif filled is not None:
            found.append(_path_type(part.model, filled.path))
    return found or [Any]


def _either(types: list[Type]) -> Type:
    """Return the union; anything where values of several types could not be told apart."""
    distinct = [kind for number, kind in enumerate(types) if kind not in types[:number]]
    try:
        union: Type = Union[tuple(distinct)]  # noqa: UP007 (of a list)
        msgspec.json.Decoder(union)
    except TypeError:
        return Any
    return union


def _path_type(model: type[models.Model], path: str) -> Type:
    hops = _hops(model, path)
    kind: Type = _plain_type(hops[-1])
    return _either([kind, None]) if any(hop.null for hop in hops) else kind


def _hops(model: type[models.Model], path: str) -> list[Any]:
    found: list[Any] = []
    for hop in path.split("."):
        found.append(model._meta.pk if hop == "pk" else model._meta.get_field(hop))
        model = found[-1].related_model
    return found


def _plain_type(column: Any) -> Type:
    """Return how a column's value stands in JSON (``capture.base.plain``)."""
    while isinstance(column, models.ForeignKey):
        column = column.target_field
    choices = [value for value, _ in column.flatchoices]
    if choices and all(isinstance(value, int | str) for value in choices):
        return _one_of([*choices, ""] if column.blank and isinstance(choices[0], str) else choices)
    match column:
        case models.BooleanField():
            return bool
        case models.IntegerField():
            return Annotated[int, Meta(ge=0)] if column.get_internal_type().startswith("Positive") else int
        case models.FloatField():
            return float
        case models.DecimalField(decimal_places=places):
            return Annotated[str, Meta(pattern=rf"^-?[0-9]+\.[0-9]{{{places}}}$" if places else "^-?[0-9]+$")]
        case models.UUIDField():
            return uuid.UUID
        case models.DateTimeField():
            return Moment
        case models.DateField():
            return datetime.date
        case models.CharField(max_length=int() as most):
            return Annotated[str, Meta(max_length=most)]
        case models.CharField() | models.TextField() | models.GenericIPAddressField() | models.TimeField():
            return str
    return Any
