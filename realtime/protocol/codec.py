"""What is put on the bus: signed, so that a forged message changes nothing (invariant I9)."""

import hashlib
import hmac

import msgspec

from ..exceptions import ForgedMessage
from .frames import Update


class Hints(msgspec.Struct, frozen=True, tag="hints"):
    """Settled updates, oldest first, of the database that ``epoch`` names."""

    epoch: str
    updates: list[Update]


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """A process's own nonce: hearing it again proves that the bus is alive."""

    nonce: str


class Suspects(msgspec.Struct, frozen=True, tag="suspects"):
    """Accounts about which something has changed: whether their sockets may stay is asked of the database."""

    accounts: list[str]


Message = Hints | Beat | Suspects

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_MAC_CHARS = 64


def _mac(text: bytes, key: bytes) -> str:
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def seal(message: Message, key: bytes) -> str:
    """Return ``message`` as text behind its HMAC-SHA256 (RFC 2104).

    >>> unseal(seal(Beat("a"), b"key"), b"key")
    Beat(nonce='a')
    """
    text = _encoder.encode(message)
    return _mac(text, key) + text.decode()


def unseal(body: object, *keys: bytes) -> Message:
    """Return the message in ``body``; raise ``ForgedMessage`` unless one of ``keys`` signed it.

    >>> unseal(seal(Beat("a"), b"key"), b"another key")
    Traceback (most recent call last):
    realtime.exceptions.ForgedMessage: a message on the bus was not signed by us
    """
    if not isinstance(body, str):
        raise ForgedMessage("a message on the bus is not one of ours")
    mac, text = body[:_MAC_CHARS].encode("utf-8", "replace"), body[_MAC_CHARS:].encode("utf-8", "replace")
    if not any(hmac.compare_digest(mac, _mac(text, key).encode()) for key in keys):
        raise ForgedMessage("a message on the bus was not signed by us")
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise ForgedMessage(f"a signed message cannot be read: {error}") from error
