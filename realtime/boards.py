"""Boards: lists of a feed's records, such as a courier's own deliveries. Declared once, asked in SQL and in Python.

>>> mine = Board(courier={"courier_id": VIEWER})
>>> mine.conditions(role="courier", viewer_id=5), mine.conditions(role="sender", viewer_id=5)
((('courier_id', 5),), None)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Q

from .exceptions import BadFilter, DeclarationError
from .text import can_be_stored

VIEWER: Final = object()
"""Stands for the key of whoever looks."""

Conditions = tuple[tuple[str, Any], ...]

MOST_CHOICES = 20
"""Values that one filter may name."""


class Board:
    """Which records a viewer's list has: for each role the gates' values, ``VIEWER`` for his own key.

    A role that is not named has no such list. What is listed must be visible as well: a board shows nothing that the
    feed's ``audience`` does not allow.
    """

    def __init__(self, **of_role: Mapping[str, Any]) -> None:
        self.of_role = of_role

    def conditions(self, *, role: str, viewer_id: Any) -> Conditions | None:
        """Return the gates' values that a member has; ``None``: this role has no such board."""
        wanted = self.of_role.get(role)
        if wanted is None:
            return None
        return tuple((gate, _plain(viewer_id) if value is VIEWER else value) for gate, value in sorted(wanted.items()))


@dataclass(frozen=True, slots=True)
class Listing:
    """A board as one viewer asked for it: what a record's gates must be, and the values that he filters by.

    Hashable: viewers who ask for the same share one read.
    """

    feed: str
    conditions: Conditions
    filters: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def has(self, state: Mapping[str, Any]) -> bool:
        """Return whether a record in ``state`` is listed."""
        return all(state.get(gate) == value for gate, value in self.conditions) and all(
            state.get(name) in values for name, values in self.filters
        )

    def query(self, paths: Mapping[str, str]) -> Q:
        """Return the same as a condition on the feed's model; ``paths``: the column of each field filtered by."""
        wanted = Q()
        for gate, value in self.conditions:
            wanted &= Q(**{f"{gate}__isnull": True}) if value is None else Q(**{gate: value})
        for name, values in self.filters:
            known = [value for value in values if value is not None]
            among = Q(**{f"{paths[name]}__in": known})
            wanted &= among | Q(**{f"{paths[name]}__isnull": True}) if None in values else among
        return wanted


def filters_of(feed: Any, given: Mapping[str, Any]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Return ``given`` as a listing has it; raise ``BadFilter`` with what may be asked.

    Each name is one of ``feed.filters``; its value is one of the field's type, or a list of such values.
    """
    found = []
    for name, asked in sorted(given.items()):
        if name not in feed.filters:
            raise BadFilter(f"no filter is named {name[:40]!r}; there are: {', '.join(feed.filters) or 'none'}")
        values = asked if isinstance(asked, list) else [asked]
        if not 0 < len(values) <= MOST_CHOICES:
            raise BadFilter(f"filter {name!r} takes 1 to {MOST_CHOICES} values")
        field = feed.filters[name]
        found.append((field, tuple(_typed(feed, name, field, value) for value in values)))
    return tuple(found)


def _typed(feed: Any, name: str, field: str, value: Any) -> Any:
    if value is None:
        return None
    column = feed.model._meta.get_field(feed.fields[field].path)
    try:
        fits = _plain(column.to_python(value)) == value and not isinstance(value, bool | float)
    except (ValidationError, TypeError, ValueError, OverflowError):
        fits = False
    no_column = (isinstance(value, int) and abs(value) >= 2**63) or not can_be_stored(str(value))
    if not fits or no_column:
        raise BadFilter(f"filter {name!r} takes values of the type of {field!r}")
    return value


def check(feed: Any) -> None:
    """Raise ``DeclarationError`` where a board asks for what is no gate, or a filter for what not everybody sees."""
    for name, board in feed.boards.items():
        unknown = {gate for wanted in board.of_role.values() for gate in wanted} - set(feed.gates)
        if unknown:
            raise DeclarationError(f"{feed.__qualname__}.{name} asks for {', '.join(sorted(unknown))}: no gate")
    for name, field in feed.filters.items():
        declared = feed.fields.get(field)
        if getattr(declared, "path", None) is None or "." in declared.path or declared.to is not None:
            raise DeclarationError(
                f"{feed.__qualname__}.filters[{name!r}] is not a field of the model's own that every audience sees"
            )


def _plain(value: Any) -> Any:
    """Return a key as a state has it."""
    return value if value is None or isinstance(value, int | str) else str(value)
