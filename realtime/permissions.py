"""Who sees which value of a feed and who has which board, as tables made of the declarations: no page goes stale."""

from collections.abc import Iterable, Sequence
from typing import Any

from .boards import VIEWER
from .feeds import Feed, Field, Many, Slot

SHOWN, OPENED, MASKED = "shown", "shown when open", "null"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown.

    >>> print(table(["a", "b"], [["1", "2"]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" if line is not lines[1] else f"|{'|'.join(line)}|" for line in lines)


def cell(field: Field | Slot | Many, audience: str) -> str:
    """Return how ``audience`` gets ``field``; what nobody declared is in no frame at all."""
    if field.to is None or audience in field.to:
        return SHOWN
    return OPENED if audience in field.opened else MASKED


def fields_of(feed: type[Feed]) -> str:
    """Return the table of the feed's values by audience. It holds for every transport and for the history."""
    rows = [
        [f"`{name}`", *(cell(field, audience) for audience in feed.audiences)] for name, field in feed.fields.items()
    ]
    return table([f"`{feed.name}.update`", *feed.audiences], rows)


def boards_of(feed: type[Feed]) -> str:
    """Return the table of the feed's boards by role; a role that stands nowhere has no board."""
    rows = [
        [f"`{feed.plural}:{name}`", role, " and ".join(_condition(*each) for each in conditions.items()) or "all"]
        for name, board in feed.boards.items()
        for role, conditions in board.of_role.items()
    ]
    return table(["board", "role", "lists records whose"], rows)


def _condition(gate: str, value: Any) -> str:
    said = "the viewer" if value is VIEWER else "empty" if value is None else f"`{value}`"
    return f"`{gate}` is {said}"
