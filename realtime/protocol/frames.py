"""The values that travel: an update on the bus, and the frame a viewer gets (PROTOCOL §1)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Update(msgspec.Struct, frozen=True, eq=False):
    """One committed version of one topic, unmasked. Compared by identity; never leaves the servers as it is."""

    topic: str
    version: int
    state: dict[str, Any] | None
    """Every declared field and gate; ``None`` when the record was deleted."""
    changed: tuple[str, ...]
    at: str
    """When the change was made: UTC, ISO 8601, ends in ``Z``."""
    pos: int | None = None
    """Global position, once settled."""


_encoder = msgspec.json.Encoder()


def encode(frame: Mapping[str, Any]) -> str:
    """Return ``frame`` as JSON text.

    >>> encode({"type": "order.update", "progress": 40})
    '{"type":"order.update","progress":40}'
    """
    return _encoder.encode(frame).decode()


def update_frame(
    *, name: str, key: Any, values: Mapping[str, Any], update: Update, masked: Sequence[str]
) -> dict[str, Any]:
    """Return the ``<name>.update`` frame of PROTOCOL §1 for one audience.

    ``values`` holds every declared field in declared order, hidden ones already ``None``; ``masked`` names these.
    Nothing in the frame depends on the socket, so it is encoded once and shared.
    """
    seen = set(update.changed).difference(masked)
    return {
        "type": f"{name}.update",
        f"{name}_id": key,
        **values,
        "timestamp": update.at,
        "version": update.version,
        "changed": [field for field in values if field in seen],
        "masked": list(masked),
    }


def with_prev(text: str, prev: int | None) -> str:
    """Put ``prev``, what this socket had before, in front of the shared bytes.

    >>> with_prev('{"type":"order.update"}', 7)
    '{"prev":7,"type":"order.update"}'
    >>> with_prev('{"type":"order.update"}', None)
    '{"prev":null,"type":"order.update"}'
    """
    return f'{{"prev":{"null" if prev is None else prev},{text[1:]}'
