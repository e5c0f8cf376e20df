"""The bus between processes. Disposable: whatever it loses, repair finds in the database (invariant I9)."""

import zlib
from functools import cache

from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.module_loading import import_string

from .. import conf
from .base import GROUPS, Broker


def group_of(topic: str) -> int:
    """Return the group that carries ``topic``: the same in every process.

    >>> group_of("order.1") == group_of("order.1") < GROUPS
    True
    """
    return zlib.crc32(topic.encode()) % GROUPS


def key() -> bytes:
    """Return the key that signs the bus, made of the project's ``SECRET_KEY``."""
    return keys()[0]


def keys() -> list[bytes]:
    """Return the keys whose messages are taken: our own, then those of ``SECRET_KEY_FALLBACKS``."""
    return [_key(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


@cache
def _key(secret: str) -> bytes:
    return salted_hmac("realtime.bus", "", secret=secret, algorithm="sha256").digest()


@cache
def _made(path: str) -> Broker:
    made: Broker = import_string(path)()
    return made


def current() -> Broker:
    """Return the broker that ``REALTIME["BROKER"]`` names; one instance a process."""
    return _made(conf.current().broker)
