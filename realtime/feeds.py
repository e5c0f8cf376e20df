"""Declarations: what is synchronised, and who may see it. No declared field, no bytes.

A project writes one ``Feed`` for a kind of record, and a ``Part`` for each further model that fills slots of it::

    @register
    class DeliveryFeed(Feed):
        name = "delivery"                        # delivery.update, delivery_id, /ws/deliveries/<key>/
        plural = "deliveries"
        model = Delivery
        audiences = ("sender", "courier")
        gates = ("sender_id", "courier_id")      # stored columns that decide who may see the record

        status = Field()                         # the column of that name, for every audience
        price = Field(to={"sender"})             # null for the courier, and named in "masked"
        courier_name = Field("courier.name")     # an ORM path to a stored column
        position = Slot(default=None)            # filled by a Part

        @staticmethod
        def audience(viewer, gates):             # None: no such delivery for you
            if viewer.id == gates["sender_id"]: return "sender"
            ...
"""

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, TypeVar

from django.db import models

from . import boards, conf
from .boards import Board
from .exceptions import DeclarationError
from .protocol.words import Words


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: everything that an ``audience`` rule may ask about a person."""

    id: Any
    role: str = ""


class Field:
    """A value of the feed, read from a stored column.

    ``path``: dotted ORM path from the feed's model, such as ``booster.username``; default: the attribute's name.
    ``to``: the audiences that see it; default: every audience of the feed. ``opened``: audiences that see it as well
    under ``REALTIME["VISIBILITY"] = "open"``. ``personal``: the gate that holds the key of the person whose datum this
    is; when he is erased, so is the value, in every version of the log.
    """

    def __init__(
        self, path: str = "", *, to: Collection[str] | None = None, opened: Collection[str] = (), personal: str = ""
    ) -> None:
        self.path = path
        self.to = None if to is None else frozenset(to)
        self.opened = frozenset(opened)
        self.personal = personal

    def __set_name__(self, owner: type, name: str) -> None:
        self.path = self.path or name


class Slot:
    """A value of the feed that a part fills; ``default`` where no part has a row. A part never widens ``to``."""

    def __init__(self, *, default: Any = None, to: Collection[str] | None = None, opened: Collection[str] = ()) -> None:
        self.default = default
        self.to = None if to is None else frozenset(to)
        self.opened = frozenset(opened)


class Many:
    """The values at the other end of a many-to-many relation, as a list: ``Many("champions.name")``.

    ``path``: the relation, then the dotted path from the related model to a stored column. Sorted by value. Adding
    and removing is a change of the record; a related row's new value follows by sweep.
    """

    def __init__(self, path: str, *, to: Collection[str] | None = None, opened: Collection[str] = ()) -> None:
        self.path = path
        self.to = None if to is None else frozenset(to)
        self.opened = frozenset(opened)


class Record:
    """A slot's value made of several columns of a part's row: ``Record(id="id", at="created_at")``."""

    def __init__(self, **paths: str) -> None:
        self.paths = paths


class Feed:
    """What is synchronised of one model. Subclass, declare, and decorate with ``register``."""

    name: ClassVar[str]
    plural: ClassVar[str] = ""
    model: ClassVar[type[models.Model]]
    audiences: ClassVar[Sequence[str]]
    gates: ClassVar[Sequence[str]] = ()
    open: ClassVar[models.Q] = models.Q()
    """Which records are told of a related row's change, such as the courier's new name; default: every one."""
    fields: ClassVar[dict[str, Field | Slot | Many]] = {}
    auditors: ClassVar[Collection[str]] = ()
    boards: ClassVar[dict[str, Board]] = {}
    filters: ClassVar[Mapping[str, str]] = {}
    """What a viewer may filter a board by: the name that he says, and the field, which every audience sees."""
    newest_first: ClassVar[Sequence[str]] = ("-pk",)
    """The order of a board's records, as ``order_by`` takes it."""
    parts: ClassVar[list[type["Part"]]] = []

    def __init_subclass__(cls) -> None:
        cls.fields = {name: value for name, value in vars(cls).items() if isinstance(value, Field | Slot | Many)}
        cls.boards = {name: value for name, value in vars(cls).items() if isinstance(value, Board)}
        cls.parts = []
        cls.plural = cls.plural or f"{cls.name}s"

    @staticmethod
    def audience(viewer: Viewer, gates: Mapping[str, Any]) -> str | None:
        """Return how ``viewer`` sees the record with these gates; ``None``: there is no such record for him.

        Pure: asked for every version that is sent, with the gates of that version.
        """
        return None

    @classmethod
    def audience_in(cls, viewer: Viewer, state: Mapping[str, Any]) -> str | None:
        """Return how ``viewer`` sees the record in ``state``, by the gates that stand in it."""
        return cls.audience(viewer, {gate: state.get(gate) for gate in cls.gates})

    @classmethod
    def viewer(cls, user: Any) -> Viewer:
        """Return the viewer that ``user`` is; override where roles are kept elsewhere than in ``user.role``."""
        return Viewer(user.pk, getattr(user, "role", ""))

    @classmethod
    def words(cls) -> Words:
        """Return what this feed's names are in the sync dialect."""
        return _words(cls.name, cls.plural, isinstance(cls.model._meta.pk, models.IntegerField))

    @classmethod
    def topic(cls, key: Any) -> str:
        return f"{cls.name}.{key}"

    @classmethod
    def key(cls, text: str) -> Any | None:
        """Return the key that ``text`` writes canonically; ``None`` when it is no key of this model.

        Signs, leading zeros, other alphabets' digits and what does not fit the column are no keys.
        """
        return _parse_key(cls.model._meta.pk, text)

    @classmethod
    def shown(cls, audience: str) -> frozenset[str]:
        """Return the names of the values that ``audience`` sees, under the visibility in force."""
        is_open = conf.current().visibility == "open"
        return frozenset(
            name
            for name, field in cls.fields.items()
            if audience in cls.audiences
            and (field.to is None or audience in field.to or (is_open and audience in field.opened))
        )


class Part:
    """A further model that fills slots of a feed: ``feed``, its ``model``, and ``owner``, the foreign key between.

    With ``newest`` the part may have many rows a record; the one with the largest ``newest`` that matches ``where``
    counts, and each slot takes a ``Record``.
    """

    feed: ClassVar[type[Feed]]
    model: ClassVar[type[models.Model]]
    owner: ClassVar[str]
    where: ClassVar[Mapping[str, Any]] = {}
    newest: ClassVar[str] = ""
    fills: ClassVar[dict[str, Field | Record]] = {}

    def __init_subclass__(cls) -> None:
        cls.fills = {name: value for name, value in vars(cls).items() if isinstance(value, Field | Record)}


_feeds: dict[str, type[Feed]] = {}
Declared = TypeVar("Declared", bound=type[Feed] | type[Part])


def register(declaration: Declared) -> Declared:
    """Put a feed or a part in force; raise ``DeclarationError`` with the line to change."""
    if issubclass(declaration, Feed):
        _register_feed(declaration)
    else:
        _register_part(declaration)
    return declaration


def _register_feed(feed: type[Feed]) -> None:
    other = _feeds.get(feed.name)
    if other is not None and (other.__module__, other.__qualname__) != (feed.__module__, feed.__qualname__):
        raise DeclarationError(f"two feeds are named {feed.name!r}: rename {feed.__qualname__}")
    for gate in feed.gates:
        field = feed.fields.get(gate)
        if field is not None and getattr(field, "path", None) != gate:
            raise DeclarationError(
                f"{feed.__qualname__}.{gate} is a gate and a field of another column: rename the field"
            )
    if set(feed.auditors) - set(feed.audiences):
        raise DeclarationError(f"{feed.__qualname__}.auditors names audiences that the feed does not have")
    for name, field in feed.fields.items():
        if isinstance(field, Field) and field.personal and field.personal not in feed.gates:
            raise DeclarationError(f"{feed.__qualname__}.{name} is personal by {field.personal!r}, which is no gate")
        strangers = (field.to or frozenset()) | field.opened
        if strangers - set(feed.audiences):
            raise DeclarationError(f"{feed.__qualname__}.{name} names audiences that the feed does not have")
    boards.check(feed)
    _feeds[feed.name] = feed


def _register_part(part: type[Part]) -> None:
    for name, value in part.fills.items():
        if not isinstance(part.feed.fields.get(name), Slot):
            raise DeclarationError(f"{part.__qualname__}.{name} fills no slot of {part.feed.__qualname__}")
        if isinstance(value, Field) and (value.to is not None or value.opened or value.personal):
            raise DeclarationError(f"{part.__qualname__}.{name} sets an audience or a person: the feed does that")
    part.feed.parts.append(part)


def all_feeds() -> list[type[Feed]]:
    return list(_feeds.values())


def feed_named(name: str) -> type[Feed]:
    """Return the registered feed ``name``; raise ``DeclarationError`` where there is none."""
    try:
        return _feeds[name]
    except KeyError:
        raise DeclarationError(f"no feed is named {name!r}; registered: {', '.join(_feeds) or 'none'}") from None


def feed_of(topic: str) -> type[Feed]:
    return feed_named(topic.partition(".")[0])


def key_of(topic: str) -> Any:
    """Return the key of a topic that this process made, as the type of the model's key."""
    name, _, text = topic.partition(".")
    return feed_named(name).key(text)


@cache
def _words(name: str, plural: str, integer: bool) -> Words:
    return Words(name, plural, integer=integer)


_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


def _parse_key(pk: "models.Field[Any, Any]", text: str) -> Any | None:
    if isinstance(pk, models.IntegerField):
        return int(text) if _INTEGER.fullmatch(text) and int(text) < 2**63 else None
    if isinstance(pk, models.UUIDField):
        try:
            key = uuid.UUID(text)
        except ValueError:
            return None
        return key if str(key) == text else None
    return text if _WORD.fullmatch(text) else None
