"""The frames of the sync dialect (PROTOCOL §3): what a client may say, and what the server answers.

The AsyncAPI document is generated from these types; ``wire/`` holds one example of each. Names that come from the
feed (``orders``, ``order_id``) stand in ``words.py``.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from .closing import Close

Id = Annotated[str, Meta(min_length=1, max_length=64, description="Chosen by the client, unique on the socket.")]
Version = Annotated[int, Meta(ge=0, le=2**53)]
Scalar = str | int | bool | float | None

HELD_AT_MOST = 2000
"""Cursors of one ``have``."""


class Have(Struct, frozen=True):
    """What a returning client holds."""

    epoch: Annotated[str, Meta(max_length=64, description="Of the welcome under which it was received.")]
    versions: Annotated[
        dict[Annotated[str, Meta(max_length=100)], Version], Meta(max_length=HELD_AT_MOST, description="By record.")
    ]


class Subscribe(Struct, frozen=True, tag="subscribe"):
    """Ask for one record, or for a board."""

    id: Id
    topic: Annotated[str, Meta(max_length=200, description="`order:12`, or a board: `orders:mine`.")]
    mode: Annotated[Literal["latest", "all"], Meta(description="`all`: every version in order; records only.")] = (
        "latest"
    )
    filter: Annotated[dict[str, Scalar | list[Scalar]], Meta(max_length=10, description="Boards only.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="Boards only: newest first.")] = 200
    have: Have | None = None


class Unsubscribe(Struct, frozen=True, tag="unsubscribe"):
    """End a topic."""

    id: Id


class Auth(Struct, frozen=True, tag="auth"):
    """Say who this is, by a ticket."""

    ticket: Annotated[str, Meta(max_length=200)]


class Ping(Struct, frozen=True, tag="ping"):
    """Ask for a ``pong``."""

    n: Annotated[int, Meta(ge=-(2**53), le=2**53)]


Said = Subscribe | Unsubscribe | Auth | Ping


class User(Struct, frozen=True):
    """Who the server takes this socket for."""

    id: int | str | None
    role: str


class Welcome(Struct, frozen=True, tag="welcome"):
    """The first frame of a socket."""

    protocol: int
    epoch: str
    server_time: str
    heartbeat_ms: int
    limits: dict[str, int]
    user: User


class Subscribed(Struct, frozen=True, tag="subscribed"):
    """The topic stands; its data follow. ``recovered``: exactly what was missed follows, by the given ``have``."""

    id: str
    topic: str
    recovered: bool
    reason: Literal["epoch", "expired", "ahead"] | None


class Revoked(Struct, frozen=True, tag="revoked"):
    """A record's topic ended, the socket stays. Nothing of the record comes after this."""

    id: str
    reason: Literal["reassigned", "deleted", "forbidden"]


class Heartbeat(Struct, frozen=True, tag="heartbeat"):
    """What was committed before ``verified_at`` (database clock) and is visible to you has been written to you."""

    server_time: str
    verified_at: str | None


Refusal = Literal[
    "bad_frame",
    "bad_filter",
    "duplicate_id",
    "forbidden",
    "limit",
    "not_found",
    "unavailable",
    "unknown_id",
    "unknown_topic",
]


class Error(Struct, frozen=True, tag="error", omit_defaults=True):
    """Something that the client said was not done. The socket stays."""

    code: Refusal
    message: str
    temporary: bool
    id: str | UnsetType = UNSET
    retry_after_ms: int | UnsetType = UNSET


class Pong(Struct, frozen=True, tag="pong"):
    """The answer to ``ping``."""

    n: int


class Goodbye(Struct, frozen=True, tag="goodbye"):
    """The close frame follows."""

    code: int
    reason: str
    reconnect: bool
    retry_after_ms: int


def goodbye(code: Close, *, retry_after: float = 0.0) -> Goodbye:
    """Return what is said before a close with ``code``. ``retry_after``: seconds until the client may come back.

    >>> goodbye(Close.LIMITED)
    Goodbye(code=4429, reason='too much at once', reconnect=True, retry_after_ms=5000)
    """
    return Goodbye(int(code), code.meaning, code.reconnect, round(max(retry_after, code.patience) * 1000))


class TooBig(Exception):
    """A frame that is longer than all but ``subscribe`` may be. Answered by a close code."""


class NotAFrame(Exception):
    """What came is no JSON object: the client speaks another protocol, and is told so by a close code."""


class BadFrame(Exception):
    """A frame of a known type is not as it should be; says what is wrong. Answered by ``error``."""

    def __init__(self, message: str, chosen: str | UnsetType = UNSET) -> None:
        super().__init__(message)
        self.id = chosen


class _Envelope(Struct):
    type: Any = UNSET
    id: Any = UNSET


_envelope = msgspec.json.Decoder(_Envelope)
_of_type: dict[str, msgspec.json.Decoder[Any]] = {
    str(kind.__struct_config__.tag): msgspec.json.Decoder(kind) for kind in (Subscribe, Unsubscribe, Auth, Ping)
}
_encoder = msgspec.json.Encoder()


def heard(text: str, *, is_long: bool = False) -> Said | None:
    """Return what a client said; ``None`` for a type of frame that is not known, which is ignored.

    ``is_long``: only ``subscribe`` may be so. Raises ``NotAFrame``, ``TooBig`` and ``BadFrame``.

    >>> heard('{"type":"ping","n":1}'), heard('{"type":"later"}')
    (Ping(n=1), None)
    >>> heard('{"type":"ping","n":"one"}')
    Traceback (most recent call last):
    realtime.protocol.messages.BadFrame: Expected `int`, got `str` - at `$.n`
    """
    try:
        envelope = _envelope.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise NotAFrame(str(error)) from None
    if is_long and envelope.type != "subscribe":
        raise TooBig
    if not isinstance(envelope.type, str):
        raise BadFrame("a frame has a `type`, which is a string")
    decoder = _of_type.get(envelope.type)
    if decoder is None:
        return None
    try:
        said: Said = decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        is_id = isinstance(envelope.id, str) and 0 < len(envelope.id) <= 64
        raise BadFrame(str(error), envelope.id if is_id else UNSET) from None
    return said


def spoken(frame: Any) -> str:
    """Return a frame as JSON text.

    >>> spoken(Pong(3))
    '{"type":"pong","n":3}'
    """
    return _encoder.encode(frame).decode()
