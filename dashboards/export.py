"""The history as a file: the entries of the page, in a form that programs read. Streamed, batch by batch."""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asgiref.sync import sync_to_async

from dashboards.timeline import CutOff, Reader, batches_for, who
from realtime.history import Change, Entry, Wanted

COLUMNS = (
    "version", "at", "kind", "actor", "name", "source", "request", "reason", "role", "field", "before", "after",
)  # fmt: skip
Still = Callable[[], bool]
"""Whether the reader is who he was when the file began; ``False`` ends it."""
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def kind_of(entry: Entry) -> str:
    return "deleted" if entry.is_deletion else "made" if entry.is_first else "changed"


def cell(value: Any) -> str:
    """Return ``value`` as text that no spreadsheet runs.

    >>> cell("=1+1"), cell(None), cell({"amount": "5.00"}), cell(40)
    ("'=1+1", '', '{"amount": "5.00"}', '40')
    """
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.startswith(FORMULAS) else text


def as_csv(reader: Reader, wanted: Wanted, still: Still) -> Iterator[str]:
    """Yield a table with a row for each changed field; a version without any has one row with an empty field.

    A last row of the kind ``cut off`` says that there is more, and in ``reason`` how to go on.
    """
    yield _table([COLUMNS])
    try:
        for entries, names in batches_for(reader, wanted, still):
            yield _table(row for entry in entries for row in _rows(entry, who(entry.actor, names)))
    except CutOff as cut:
        said = {"kind": "cut off", "reason": str(cut)}
        yield _table([[said.get(column, "") for column in COLUMNS]])


def _rows(entry: Entry, name: str) -> Iterator[list[str]]:
    head = {**_head(entry), "name": name}
    for change in entry.changes or (Change("", None, None, was_seen=False),):
        row = {**head, "field": change.field, "before": change.before, "after": change.after}
        yield [cell(row[column]) for column in COLUMNS]


def as_json(reader: Reader, wanted: Wanted, still: Still) -> Iterator[str]:
    """Yield one object; ``before`` is missing from a change where the reader does not know it.

    ``cut_off`` is the last key: null, or that there is more, and how to go on.
    """
    head = {"order_id": reader.order_id, "audience": reader.audience, "masked": reader.masked}
    yield json.dumps(head)[:-1] + ', "entries": ['
    comma, cut_off = "", None
    try:
        for entries, names in batches_for(reader, wanted, still):
            for entry in entries:
                yield comma + json.dumps(_object(entry, who(entry.actor, names)), ensure_ascii=False)
                comma = ","
    except CutOff as cut:
        cut_off = str(cut)
    yield f'], "cut_off": {json.dumps(cut_off)}}}\n'


def _object(entry: Entry, name: str) -> dict[str, Any]:
    changes = [
        {"field": change.field, **({"before": change.before} if change.was_seen else {}), "after": change.after}
        for change in entry.changes
    ]
    return {**_head(entry), "name": name, "changes": changes}


async def streamed(parts: Iterator[str]) -> AsyncIterator[str]:
    """Yield ``parts``, made one by one in the thread that has the request's database connection."""

    def following() -> str | None:
        return next(parts, None)

    while (part := await sync_to_async(following)()) is not None:
        yield part


def _head(entry: Entry) -> dict[str, Any]:
    said = {name: getattr(entry, name) for name in ("actor", "source", "request", "reason", "role")}
    at = entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"version": entry.version, "at": at, "kind": kind_of(entry), **said}


def _table(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
