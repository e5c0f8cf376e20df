"""Every key of ``settings.REALTIME``: one typed home, a default, and loud about what it does not know."""

from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from ipaddress import ip_network
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one user and one address may have open (PROTOCOL §6), over all processes; keys of ``LIMITS``."""

    user_sockets: int = 10
    """Sockets, event streams and waiting polls of one user."""
    handshakes_burst: int = 60
    """Handshakes of an address at once; beyond it ``handshakes_rate`` rules. Streams and waiting polls count too."""
    handshakes_rate: float = 10.0
    """Handshakes a second that an address may make for long."""
    offences_burst: int = 3
    """How many sockets of a user are closed for what he sent (1002, 1007, 1009, 4400, 4429) before he has to wait."""
    offences_rate: float = 0.1
    """How many such sockets a second he may have for long."""
    address_strangers: int = 64
    """Sockets of an address that have not proven who they are."""
    process_sockets: int = 10_000
    """Sockets, event streams and waiting polls that one process serves; more are told 1013, or 503 over HTTP."""
    lease_seconds: float = 30.0
    """For how long a process that died keeps the places of its sockets; renewed three times as often."""
    leaving_seconds: float = 1.0
    """How long who has no place left waits for one of his own that is about to be given back."""
    shared_timeout: float = 0.5
    """Seconds after which the count that processes share is not waited for: this process counts alone."""
    shared_pause: float = 5.0
    """How long the shared count is left alone after it has failed."""
    addresses_at_most: int = 10_000
    """Addresses whose handshakes a process remembers; the one not heard of for longest gives way."""
    loopback: bool = True
    """Whether the limits hold for clients on the machine itself as well. The profile ``"loopback"`` lifts them."""


PROFILES = {"loopback": Limits(loopback=False)}
"""What ``LIMITS`` may be instead of a dictionary: a name."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of ``realtime``; each field is the lower-case name of a key of ``settings.REALTIME``."""

    broker: str = "realtime.brokers.channel_layer.ChannelLayerBroker"
    """Dotted path of the bus between processes; ``realtime.brokers.memory.MemoryBroker`` for one process."""
    capture: str = "auto"
    """``auto``: triggers on PostgreSQL, the ORM's signals elsewhere. ``orm``: signals everywhere."""
    visibility: str = "masked"
    """``masked``: each viewer sees what the feed declares for him. ``open``: fields with ``opened`` as well."""
    database: str = "default"
    """Alias of the database that holds the synchronised models; reads are pinned to it, replicas lag."""
    channel_layer: str = "default"
    """Alias in ``CHANNEL_LAYERS`` that the broker uses."""
    repair_seconds: float = 1.0
    """How often a process compares what it sent with the database."""
    broker_timeout: float = 1.0
    """Seconds after which a message to the bus counts as not sent."""
    poll_seconds: float = 0.1
    """How often a process with sockets looks for events that others wrote without a wake: psql, a killed process."""
    settle_batch: int = 500
    """Most events that one round of the relay settles."""
    catch_up_limit: int = 300
    """Most missed versions that are read one by one; beyond it a socket gets the newest state."""
    refusal_seconds: float = 0.1
    """When a refusal leaves, counted from the handshake: missing and forbidden look alike in time too."""
    flush_seconds: float = 2.0
    """Longest wait at exit for the relay to settle what this process wrote."""
    linger_seconds: float = 5.0
    """How long a process without sockets keeps listening."""
    drain_seconds: float = 1.0
    """Longest wait at shutdown for sockets to take their goodbye (close code 4012)."""
    return_seconds: float = 5.0
    """Within how many seconds the sockets of a server that stops are asked to come back."""
    pending_frames: int = 64
    """Frames that wait for one socket before older states give way to newer ones."""
    pending_bytes: int = 256 * 1024
    """Bytes that wait for one socket; when merging leaves more, it is closed with 4413. Answers to reads apart."""
    stall_seconds: float = 15.0
    """A socket that takes no byte for so long is closed with 4413."""
    identity_seconds: float = 15.0
    """How often all who have sockets are asked about again: does the session stand, is the account active."""
    ticket_seconds: float = 30.0
    """How long a ticket may be shown after it was issued."""
    auth_seconds: float = 5.0
    """How long a socket of the sync dialect may stay without saying who it is."""
    authenticators: tuple[str, ...] = ("realtime.credentials.Bearer", "realtime.credentials.Session")
    """Dotted paths of classes that read a proof out of a handshake or a request; the first that finds one decides."""
    token_keys: dict[str, str] = field(default_factory=dict)
    """Keys of bearer tokens, by name: the first signs, all are taken. None: no token is taken."""
    token_days_at_most: float = 90.0
    """Days that a bearer token lasts at most: none is issued for longer, and none taken, whoever issued it."""
    token_paths: tuple[str, ...] = ()
    """Beginnings of addresses, such as ``/api/``, whose requests may rest on a token or another proof that no browser
    adds by itself. None: only sockets may."""
    heartbeat_seconds: float = 25.0
    """How often a socket of the sync dialect is told up to when it has everything."""
    records_at_most: int = 200
    """Records that one socket of the sync dialect may subscribe to, boards apart."""
    boards_at_most: int = 5
    """Boards that one socket may subscribe to."""
    frame_bytes: int = 16 * 1024
    """Largest frame taken from a client; above it the socket is closed with 1009."""
    subscribe_bytes: int = 64 * 1024
    """Largest frame taken in the sync dialect, where ``subscribe`` brings the versions that the client holds."""
    handshake_seconds: float = 10.0
    """How long a handshake, a request or a message may take until it is whole; a little more of it renews nothing.

    Under Daphne; each 16 KiB of a body and each KiB of a message give a second more.
    """
    inbound_burst: int = 250
    """Frames a client may send at once; beyond it ``inbound_rate`` rules."""
    inbound_rate: float = 2.0
    """Frames a second that a client may send for long; above it the socket is closed with 4429."""
    limits: Limits = Limits()
    """How much one user and one address may have open: a dictionary, or ``"loopback"``: no limit for this machine."""
    trusted_proxies: list[str] = field(default_factory=list)
    """Proxies whose ``X-Forwarded-For`` is believed: addresses, networks, or ``unix`` for a UNIX socket."""
    stream_seconds: float = 600.0
    """How long an event stream lasts, give or take a fifth; then it ends cleanly and its client comes back."""
    stream_comment_seconds: float = 15.0
    """How often an event stream without news carries a comment, so that no proxy takes it for dead."""
    stream_retry_seconds: float = 3.0
    """After how long the client of a broken event stream comes back, give or take a half."""
    wait_seconds: float = 25.0
    """Longest wait of a poll (``?wait=``): common proxies give up after 30 s at the earliest."""
    hint_groups: bool = True
    """Listen on the layer's group ``<feed>_<key>`` of each watched record, for code that still sends there."""


def known_keys() -> list[str]:
    """Return every key; those of ``LIMITS`` as ``LIMITS.USER_SOCKETS``."""
    return [*_names(Settings), *(f"LIMITS.{name}" for name in _names(Limits))]


def _names(kind: type[Settings | Limits]) -> list[str]:
    return [known.name.upper() for known in fields(kind)]


def unknown_keys() -> list[tuple[str, str]]:
    """Return the keys of ``settings.REALTIME`` that nothing reads, each with the nearest known key or ''."""
    given = getattr(django_settings, "REALTIME", {})
    limits = given.get("LIMITS")
    inner = [f"LIMITS.{key}" for key in limits] if isinstance(limits, dict) else []
    unknown = [key for key in [*given, *inner] if key not in known_keys()]
    return [(key, next(iter(get_close_matches(key, known_keys(), n=1)), "")) for key in unknown]


def wrong_values() -> list[tuple[str, Any, str]]:
    """Return the keys of ``settings.REALTIME`` whose value cannot be used, each with the value and what it should be.

    Seconds and rates are numbers from 0 on, counts are whole numbers from 1 on.
    """
    settings = current()
    given = getattr(django_settings, "REALTIME", {}).get("LIMITS", {})
    if not isinstance(given, dict) and not (isinstance(given, str) and given in PROFILES):
        return [("LIMITS", given, _WANTED[Limits])]
    return [*_wrong(settings), *((f"LIMITS.{key}", value, wanted) for key, value, wanted in _wrong(settings.limits))]


def _wrong(settings: Settings | Limits) -> list[tuple[str, Any, str]]:
    return [
        (known.name.upper(), value, _WANTED[known.type])
        for known in fields(settings)
        if known.type is not Limits and not _fits(value := getattr(settings, known.name), known.type)
    ]


_WANTED: dict[Any, str] = {
    str: "a string",
    bool: "True or False",
    int: "a whole number, 1 or more",
    float: "a number, 0 or more",
    dict[str, str]: "a dictionary of names and keys, each of 32 characters or more",
    list[str]: "a list of addresses, networks such as 10.0.0.0/8, and 'unix'",
    tuple[str, ...]: "a list of strings, none of them empty",
    Limits: f"a dictionary, or one of {', '.join(map(repr, PROFILES))}",
}


def _fits(value: Any, kind: Any) -> bool:
    if kind in (str, bool):
        return isinstance(value, kind)
    if kind == dict[str, str]:
        return isinstance(value, dict) and all(isinstance(key, str) and len(key) >= 32 for key in value.values())
    if kind == list[str]:
        return isinstance(value, list | tuple) and all(map(_is_network, value))
    if kind == tuple[str, ...]:
        return isinstance(value, list | tuple) and all(path and isinstance(path, str) for path in value)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) and value >= 1 if kind is int else isinstance(value, int | float) and value >= 0


def _is_network(text: Any) -> bool:
    try:
        return text == "unix" or bool(ip_network(text))
    except ValueError:
        return False


@cache
def _read() -> Settings:
    given: dict[str, Any] = getattr(django_settings, "REALTIME", {})
    values = {key.lower(): value for key, value in given.items() if key in _names(Settings)}
    return Settings(**values | {"limits": _limits(values.get("limits"))})


def _limits(given: Any) -> Limits:
    if isinstance(given, str):
        return PROFILES.get(given, Limits())
    known = given if isinstance(given, dict) else {}
    return Limits(**{key.lower(): value for key, value in known.items() if key in _names(Limits)})


def current() -> Settings:
    """Return the settings in force; follows ``override_settings``."""
    return _read()


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "REALTIME":
        _read.cache_clear()


setting_changed.connect(_forget, dispatch_uid="realtime.conf")
