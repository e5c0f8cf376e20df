"""How a value of a frame is put into words: one home for the templates and for the script, which gets it as JSON."""

from collections.abc import Mapping
from typing import Any

HIDDEN = "Not for your role"

# What stands in the braces are the value, the parts of a record, or the date and time of a moment in UTC.
# ``shape`` is for a value, ``empty`` for null, false and the empty text.
KINDS: Mapping[str, Mapping[str, str]] = {
    "text": {"shape": "{value}", "empty": ""},
    "name": {"shape": "{value}", "empty": "nobody yet"},
    "note": {"shape": "{value}", "empty": "No note."},
    "money": {"shape": "{value}", "empty": "–"},
    "percent": {"shape": "{value} %", "empty": ""},
    "time": {"shape": "{date} {time} UTC", "empty": ""},
    "flag": {"shape": "Disputed", "empty": ""},
    "dispute": {"shape": "open", "empty": "none"},
    "record": {"shape": "{amount} · {status}", "empty": "none yet"},
}


def words_for(kind: str, value: Any) -> str:
    """Return ``value`` in words, exactly as fields.js does.

    >>> words_for("time", "2026-11-24T03:18:05.120Z"), words_for("money", None), words_for("percent", 0)
    ('2026-11-24 03:18 UTC', '–', '0 %')
    """
    words = KINDS[kind]
    return words["empty"] if value in (None, "") or value is False else words["shape"].format_map(_parts(value))


def _parts(value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    text = str(value)  # a moment on the wire is UTC: 2026-11-24T03:18:05.120Z
    return {"value": text, "date": text[:10], "time": text[11:16]}


def for_script() -> dict[str, Any]:
    """Return what fields.js needs to know."""
    return {"hidden": HIDDEN, "kinds": KINDS}
