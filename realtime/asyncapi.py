"""The sockets as an AsyncAPI 3.0 document, made of the types of the frames: what is sent cannot differ from it."""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from . import shapes
from .feeds import Feed
from .protocol import messages
from .protocol.closing import Close
from .protocol.messages import Goodbye, Heartbeat, Pong, Revoked, Said, Subscribed, Welcome

Part = dict[str, Any]
Examples = Mapping[str, Mapping[str, Any]]
"""By the name of a frame: examples by what they show."""

ANSWERS = {"subscribe": ("subscribed", "error"), "ping": ("pong",)}
"""Which frames answer one of the client."""

ABOUT = """Records of a feed, kept in step with the database. Every committed change has a version: 1, 2, 3 … A frame \
carries the whole state that its viewer may see.

The plain dialect sends states and nothing else. The sync dialect is chosen by its subprotocol. Both sides ignore \
keys and types of frames that they do not know. Times are UTC.
"""


def client_frames() -> dict[str, Any]:
    """Return the types of what a client says in the sync dialect, by the names of its frames."""
    return {_tag(kind): kind for kind in get_args(Said)}


def server_frames(feed: type[Feed]) -> dict[str, Any]:
    """Return the types of what the server says in the sync dialect."""
    words = feed.words()
    update = shapes.update_type(feed)
    common = (Heartbeat, messages.Error, Pong, Goodbye)
    kinds = (Welcome, Subscribed, update, words.synced, words.board_changed, Revoked, *common)
    return {_tag(kind): kind for kind in kinds}


def plain_frames(feed: type[Feed]) -> dict[str, Any]:
    """Return the types of what the server says in the plain dialect: both are ``<name>.update`` on the wire."""
    return {f"{feed.name}.update": shapes.update_type(feed), f"{feed.name}.message": shapes.message_type(feed)}


def document(feeds: list[type[Feed]], *, version: str, cookie: str, examples: Examples) -> Part:
    """Return the document of ``feeds``. ``cookie``: the name of the session's."""
    channels: Part = {}
    operations: Part = {}
    frames = client_frames()
    for feed in feeds:
        served = server_frames(feed)
        frames |= plain_frames(feed) | served
        for name, (channel, spoken) in _channels(feed, served).items():
            channels[name] = {**channel, "messages": _references(spoken)}
            operations |= _operations(name, spoken)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "realtime", "version": version, "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {
            "site": {
                "host": "{host}",
                "protocol": "wss",
                "description": "The host of the pages. The Origin of a handshake is checked.",
                "variables": {"host": {"default": "localhost", "description": "Where the site is."}},
                "security": [{"$ref": "#/components/securitySchemes/session"}],
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {_id(name): _message(name, kind, examples.get(name, {})) for name, kind in frames.items()},
            "schemas": _schemas(list(frames.values())),
            "securitySchemes": {
                "session": {"type": "httpApiKey", "in": "cookie", "name": cookie, "description": "Of a logged-in user."}
            },
        },
        "x-close-codes": [_close(code) for code in Close],
    }


def _channels(feed: type[Feed], served: Part) -> dict[str, tuple[Part, list[str]]]:
    """Return the feed's channels with the frames on them: the sync dialect at both addresses, the plain at one."""
    both = [*client_frames(), *served]
    one = {
        "address": f"/ws/{feed.plural}/{{{feed.name}_id}}/",
        "parameters": {f"{feed.name}_id": {"description": "The key, written in the one way that the model has."}},
    }
    dialect = f"{feed.name}-sync.v1"
    return {
        feed.plural: (
            {
                "address": f"/ws/{feed.plural}/",
                "title": f"{feed.plural.capitalize()}, the sync dialect",
                "description": f"Many records and boards on one socket, with the subprotocol `{dialect}`.",
                "bindings": _bindings(dialect),
            },
            both,
        ),
        f"{feed.name}Sync": (
            {
                **one,
                "title": f"One {feed.name}, the sync dialect",
                "description": f'With `{dialect}`: this record is subscribed already, under the id "{feed.name}".',
                "bindings": _bindings(dialect),
            },
            both,
        ),
        f"{feed.name}Plain": (
            {
                **one,
                "title": f"One {feed.name}, the plain dialect",
                "description": "Without a subprotocol: the state, then a frame for every version.",
                "bindings": _bindings(None),
            },
            [*plain_frames(feed)],
        ),
    }


def _bindings(dialect: str | None) -> Part:
    wanted: Part = {"method": "GET", "bindingVersion": "0.1.0"}
    if dialect is not None:
        protocol = {"Sec-WebSocket-Protocol": {"type": "string", "const": dialect}}
        wanted["headers"] = {"type": "object", "properties": protocol, "required": [*protocol]}
    else:
        about = "`0` leaves out the first state."
        snapshot = {"type": "string", "enum": ["0", "1"], "default": "1", "description": about}
        wanted["query"] = {"type": "object", "properties": {"snapshot": snapshot}}
    return {"ws": wanted}


def _operations(name: str, frames: list[str]) -> Part:
    """Return what is done on a channel, as the server sees it: it receives what a client says."""
    said = client_frames()
    found: Part = {}
    for frame in frames:
        action = "receive" if frame in said else "send"
        operation: Part = {
            "action": action,
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [_on(name, frame)],
        }
        if answers := ANSWERS.get(frame):
            operation["reply"] = {
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [_on(name, answer) for answer in answers],
            }
        found[f"{name}.{action}.{_id(frame)}"] = operation
    return found


def _message(name: str, kind: Any, examples: Mapping[str, Any]) -> Part:
    message: Part = {
        "name": name,
        "summary": (kind.__doc__ or "").strip().partition("\n")[0],
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }
    if examples:
        message["examples"] = [{"name": shows, "payload": frame} for shows, frame in examples.items()]
    return message


def _schemas(kinds: list[Any]) -> Part:
    _, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return components


def _close(code: Close) -> Part:
    return {
        "code": int(code),
        "meaning": code.meaning,
        "reconnect": code.reconnect,
        "wait_at_least_ms": round(code.patience * 1000),
    }


def _tag(kind: Any) -> str:
    return str(kind.__struct_config__.tag)


def _id(name: str) -> str:
    """Return a frame's name as a key of the document, where a dot may not stand in every tool."""
    return name.replace(".", "_")


def _references(names: list[str]) -> Part:
    return {_id(name): {"$ref": f"#/components/messages/{_id(name)}"} for name in names}


def _on(channel: str, name: str) -> Part:
    return {"$ref": f"#/channels/{channel}/messages/{_id(name)}"}
