"""What ``urls`` answers, as paths of an OpenAPI 3.1 document: put them into the one of your own API."""

from typing import Any

import msgspec

from .feeds import Feed
from .protocol.messages import Subscribe

Part = dict[str, Any]

_ERROR: Part = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
_REFUSALS = {
    "400": "A parameter or the body is not as it should be; the message says how.",
    "401": "Nobody is logged in.",
    "404": "Missing, not for this viewer, or no key: the same bytes.",
    "405": "Another method.",
    "503": "The database cannot be read now.",
}


def paths(feed: type[Feed], *, prefix: str) -> Part:
    """Return the paths of ``feed``, which ``urls`` has under ``prefix`` (``/api/``)."""
    name, base = feed.name, f"{prefix}{feed.plural}"
    frame = _frame(feed)
    key = _parameter("key", "path", f"The {name}'s key.", {"type": "string"}, required=True)
    last = _parameter("Last-Event-ID", "header", "The id of the last event that was received.", {"type": "string"})
    known = _parameter("If-None-Match", "header", "The tags of states that are held.", {"type": "string"})
    whole = {"type": "integer", "minimum": 0}
    return {
        f"{base}/stream": _path(
            f"stream_{feed.plural}",
            f"A board of {feed.plural}, as server-sent events",
            [
                _parameter("topic", "query", "Which board.", {"enum": sorted(feed.boards)}, required=True),
                _parameter("filter", "query", f"JSON; by {', '.join(feed.filters) or 'nothing'}.", {"type": "string"}),
                _parameter("limit", "query", "The newest so many.", {"type": "integer", "minimum": 1, "maximum": 1000}),
                last,
            ],
            _stream(),
        ),
        f"{base}/{{key}}/stream": _path(
            f"stream_{name}", f"The states of one {name}, as server-sent events", [key, last], _stream()
        ),
        f"{base}/{{key}}/state": _path(
            f"state_of_{name}",
            f"The newest state of one {name}, waited for if wanted",
            [key, known, _parameter("wait", "query", "Seconds to wait for another state.", whole)],
            {"200": _json("The state.", frame), "304": {"description": "It is one of those in If-None-Match."}},
        ),
        f"{base}/{{key}}/events": _path(
            f"events_of_{name}",
            f"The versions of one {name}, oldest first",
            [
                key,
                _parameter("after", "query", "The version that is held.", whole),
                _parameter("limit", "query", "At most so many.", whole),
            ],
            {"200": _json("A page of versions.", _events(frame))},
        ),
        f"{base}/sync": _sync(feed, frame),
    }


def _path(operation: str, summary: str, parameters: list[Part], responses: Part) -> Part:
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "tags": ["realtime"],
            "parameters": parameters,
            "responses": {**responses, **_refusals()},
        }
    }


def _sync(feed: type[Feed], frame: Part) -> Part:
    (_, parts) = msgspec.json.schema_components([Subscribe], ref_template="#/{name}")
    asked = {k: v for k, v in parts["Subscribe"]["properties"].items() if k in ("topic", "mode", "limit", "filter")}
    asked["have"] = {
        "anyOf": [{"type": "null"}, parts["Have"]],
        "description": "What is held: its epoch, and by key the versions.",
    }
    answer = {
        "epoch": {"type": "string"},
        "recovered": {"type": "boolean"},
        "reason": {"enum": ["epoch", "expired", "ahead", None]},
        feed.plural: {"type": "array", "items": frame},
        "removed": {"type": "array", "items": {"type": "object"}},
        "synced": {"type": "object", "additionalProperties": {"type": "integer"}},
        "total": {"type": "integer"},
    }
    return {
        "post": {
            "operationId": f"sync_{feed.plural}",
            "summary": f"A board of {feed.plural}, or one {feed.name}, by polling: what moved since `have`",
            "tags": ["realtime"],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"type": "object", "required": ["topic"], "properties": asked}}
                },
            },
            "responses": {
                "200": _json("What a socket would be sent.", _object(answer)),
                **_refusals(),
                "403": {"description": "Without the CSRF token."},
                "413": _json("The body is too big.", _ERROR),
            },
        }
    }


def _events(frame: Part) -> Part:
    event = {
        "version": {"type": "integer"},
        "at": {"type": "string"},
        "kind": {"enum": ["made", "changed", "deleted"]},
        **{name: {"type": "string"} for name in ("actor", "source", "request", "reason", "role")},
        "changes": {"type": "array", "items": {"type": "object"}},
        "frame": {"anyOf": [frame, {"type": "null"}]},
    }
    number = {"type": ["integer", "null"]}
    page = {"epoch": {"type": "string"}, "events": {"type": "array", "items": _object(event)}}
    return _object({**page, "next": number, "floor": number})


def _frame(feed: type[Feed]) -> Part:
    names = {"type": "array", "items": {"type": "string"}}
    values: Part = {name: {} for name in feed.fields}
    return _object(
        {
            "type": {"const": f"{feed.name}.update"},
            f"{feed.name}_id": {"type": "integer" if feed.words().integer else "string"},
            **values,
            "timestamp": {"type": "string"},
            "version": {"type": "integer"},
            "changed": names,
            "masked": names,
        }
    )


def _object(properties: Part) -> Part:
    return {"type": "object", "required": list(properties), "properties": properties}


def _stream() -> Part:
    said = {"description": "Blocks until the stream ends.", "content": {"text/event-stream": {"schema": {}}}}
    return {"200": said, "501": _json("No ASGI server: streams need one.", _ERROR)}


def _refusals() -> Part:
    return {status: _json(words, _ERROR) for status, words in _REFUSALS.items()}


def _json(description: str, schema: Part) -> Part:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _parameter(name: str, place: str, description: str, schema: Part, *, required: bool = False) -> Part:
    return {"name": name, "in": place, "description": description, "schema": schema, "required": required}
