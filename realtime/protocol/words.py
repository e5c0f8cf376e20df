"""What a feed's names are in the sync dialect, and the frames that carry them (PROTOCOL §3)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec


class Words:
    """What a feed's names are on the wire, and the frames that carry them.

    >>> words = Words("order", "orders", integer=True)
    >>> words.of("order.12"), words.key("order.12"), words.topic("order:12")
    ('order:12', 12, 'order.12')
    >>> words.topic("delivery:12"), words.board("orders:mine"), words.board("order:12")
    (None, 'mine', None)
    """

    def __init__(self, name: str, plural: str, *, integer: bool) -> None:
        self.name, self.plural, self.integer = name, plural, integer
        key: Any = int if integer else str
        title = plural.title()
        removal = msgspec.defstruct(
            f"{title}Removal",
            [(f"{name}_id", key), ("reason", Literal["reassigned", "filtered", "deleted", "forbidden", "limit"])],
            frozen=True,
        )
        self.removal: Any = removal
        self.board_changed: Any = msgspec.defstruct(
            f"{title}Board",
            [("id", str), ("added", list[key]), ("removed", list[removal])],  # type: ignore[valid-type]
            namespace={"__doc__": "A board's members changed. An added record's state came before this."},
            frozen=True,
            tag="board",
        )
        self.synced: Any = msgspec.defstruct(
            f"{title}Synced",
            [("id", str), (plural, dict[str, int]), ("total", int)],
            namespace={"__doc__": "Members and their versions; snapshot or replay are complete: paint now."},
            frozen=True,
            tag="synced",
        )

    def of(self, topic: str) -> str:
        """Return an order's topic as the wire has it."""
        return f"{self.name}:{topic.partition('.')[2]}"

    def key(self, topic: str) -> int | str:
        """Return the key of a topic as the wire has it."""
        text = topic.partition(".")[2]
        return int(text) if self.integer else text

    def topic(self, said: str) -> str | None:
        """Return the topic that a client means by ``order:12``; ``None`` when it names no record of this feed."""
        name, colon, key = said.partition(":")
        return f"{self.name}.{key}" if colon and name == self.name else None

    def board(self, said: str) -> str | None:
        """Return the board's name in ``orders:mine``; ``None`` when it names no board of this feed."""
        plural, colon, board = said.partition(":")
        return board if colon and plural == self.plural else None

    def added(self, chosen: str, topics: Sequence[str]) -> Any:
        return self.board_changed(chosen, [self.key(topic) for topic in topics], [])

    def removed(self, chosen: str, reasons: Mapping[str, str]) -> Any:
        gone = [self.removal(self.key(topic), reason) for topic, reason in reasons.items()]
        return self.board_changed(chosen, [], gone)

    def complete(self, chosen: str, versions: Mapping[str, int], total: int) -> Any:
        return self.synced(chosen, {topic.partition(".")[2]: version for topic, version in versions.items()}, total)
