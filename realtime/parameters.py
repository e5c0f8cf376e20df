"""What a request asks for: values of its query, and the JSON of its body. What cannot be read is refused by name."""

from typing import Any

import msgspec
from django.http import HttpRequest

from .entrance import Refusal
from .feeds import Feed
from .protocol.messages import Subscribe


def board_topic(feed: type[Feed], name: str) -> str:
    return name if ":" in name else f"{feed.plural}:{name}"


def number(request: HttpRequest, name: str, default: int) -> int:
    """Return a whole number, 0 or more, of the query."""
    text = request.GET.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Refusal(400, "bad_parameter", f"`{name}` is a whole number, 0 or more.")
    return int(text)


def decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Refusal(400, "bad_json", f"This is no JSON that is understood here: {error}.") from None


def subscribe_of(asked: Any) -> Subscribe:
    """Return what is asked for, checked as a frame of the sync dialect is."""
    if not isinstance(asked, dict):
        raise Refusal(400, "bad_request", "Send a JSON object with a `topic`.")
    try:
        return msgspec.convert({**asked, "type": "subscribe", "id": "poll"}, Subscribe)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Refusal(400, "bad_request", f"{error}.") from None
