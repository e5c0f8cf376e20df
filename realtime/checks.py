"""System checks: what is declared or set wrongly is said at start, with a hint. Each id is in the reference."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models
from django.utils.module_loading import import_string

from . import conf
from .brokers.base import Broker
from .capture import inspection
from .capture.base import by_triggers
from .feeds import Feed, Many, Record, Slot, all_feeds
from .text import TextMiddleware


@register("realtime")
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E001 unknown key · E002 broker that cannot be imported · E003 no such choice · E006 no database · E007 type
    · E008 authenticator.
    """
    found: list[CheckMessage] = []
    for key, nearest in conf.unknown_keys():
        hint = f"Did you mean {nearest!r}?" if nearest else f"Known keys: {', '.join(conf.known_keys())}."
        found.append(Error(f"REALTIME has an unknown key {key!r}.", hint=hint, id="realtime.E001"))
    wrong = conf.wrong_values()
    for key, value, wanted in wrong:
        shown = "(hidden)" if key == "TOKEN_KEYS" else repr(value)  # what a check says is printed, and logged
        found.append(Error(f"REALTIME[{key!r}] = {shown}.", hint=f"Set it to {wanted}.", id="realtime.E007"))
    if wrong:
        return found
    current = conf.current()
    try:
        is_broker = issubclass(import_string(current.broker), Broker)
    except (ImportError, TypeError):
        is_broker = False
    if not is_broker:
        hint = "Name a subclass of realtime.brokers.base.Broker by its dotted path."
        found.append(Error(f"REALTIME['BROKER'] = {current.broker!r} is no broker.", hint=hint, id="realtime.E002"))
    found += _unusable_authenticators(current.authenticators)
    if current.database not in settings.DATABASES:
        hint = f"One of {', '.join(settings.DATABASES)}."
        found.append(
            Error(f"REALTIME['DATABASE'] = {current.database!r} is no database.", hint=hint, id="realtime.E006")
        )
    for key, value, choices in (
        ("VISIBILITY", current.visibility, ("masked", "open")),
        ("CAPTURE", current.capture, ("auto", "orm")),
    ):
        if value not in choices:
            hint = " or ".join(map(repr, choices)) + "."
            found.append(Error(f"REALTIME[{key!r}] = {value!r}.", hint=hint, id="realtime.E003"))
    return found


def _unusable_authenticators(paths: Sequence[str]) -> Iterator[CheckMessage]:
    for path in paths:
        try:
            made = import_string(path)()
        except (ImportError, TypeError):
            made = None
        if not all(hasattr(made, name) for name in ("is_ambient", "is_shown", "claim")):
            hint = "Name a class with the members of realtime.credentials.Authenticator by its dotted path."
            yield Error(f"REALTIME['AUTHENTICATORS'] has {path!r}, which is none.", hint=hint, id="realtime.E008")


@register("realtime")
def check_layer(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W001 core layer · W002 in-memory layer behind the channel-layer broker."""
    current = conf.current()
    if conf.wrong_values() or not current.broker.endswith("ChannelLayerBroker"):
        return []
    backend = getattr(settings, "CHANNEL_LAYERS", {}).get(current.channel_layer, {}).get("BACKEND", "")
    if backend == "channels_redis.core.RedisChannelLayer":
        return [
            checks.Warning(
                "The core Redis layer drops messages at its capacity (100 a channel) and forgets groups after a day.",
                hint="Nothing is lost, repair finds it within a second; channels_redis.pubsub.RedisPubSubChannelLayer "
                "drops nothing. With redis-py 8 set socket_timeout=None in its hosts: its blocking read takes 5 s.",
                id="realtime.W001",
            )
        ]
    if backend == "channels.layers.InMemoryChannelLayer":
        hint = "Use realtime.brokers.memory.MemoryBroker for one process, or a Redis layer for several."
        return [
            checks.Warning(
                "The in-memory layer does not wake a loop from another thread.", hint=hint, id="realtime.W002"
            )
        ]
    return []


@register("realtime", deploy=True)
def check_limits(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W004 limits that are lifted for this machine, where a proxy may stand."""
    if conf.current().limits.loopback:
        return []
    hint = "Take 'loopback' out of REALTIME['LIMITS']: behind a proxy here everybody seems to come from this machine."
    return [checks.Warning("Limits do not hold for clients on this machine.", hint=hint, id="realtime.W004")]


@register("realtime", deploy=True)
def check_proxies(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W005 a proxy is believed about the scheme or the host, and none is named for the address."""
    is_behind = bool(settings.SECURE_PROXY_SSL_HEADER) or settings.USE_X_FORWARDED_HOST
    if not is_behind or conf.current().trusted_proxies:
        return []
    message = "There is a proxy, and REALTIME['TRUSTED_PROXIES'] does not name it: everybody seems to come from it."
    hint = "Name its address or network, or 'unix': else all clients share the limits and the log-in tries of one."
    return [checks.Warning(message, hint=hint, id="realtime.W005")]


@register("realtime")
def check_middleware(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W006 nothing stands between a stranger's cookie and the sessions, which ask the database for it."""
    sessions, text = _place_of(SessionMiddleware), _place_of(TextMiddleware)
    if sessions is None or (text is not None and text < sessions):
        return []
    what = "is missing from MIDDLEWARE" if text is None else "stands behind SessionMiddleware"
    hint = "Put it in front of SessionMiddleware: a cookie with a NUL is an error of the database (500) otherwise."
    return [checks.Warning(f"realtime.text.TextMiddleware {what}.", hint=hint, id="realtime.W006")]


def _place_of(kind: type) -> int | None:
    """Return where ``kind``, or a class made of it, stands first in MIDDLEWARE."""
    for place, path in enumerate(settings.MIDDLEWARE):
        try:
            found = import_string(path)
        except ImportError:  # Django says so when it starts to serve
            continue
        if isinstance(found, type) and issubclass(found, kind):
            return place
    return None


@register(Tags.models)
def check_feeds(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E005: a declared path is no stored column."""
    found: list[CheckMessage] = []
    for feed in all_feeds():
        for where, model, path, many in _paths(feed):
            problem = _problem(model, path, many=many)
            if problem:
                hint = "Declare a stored column or an ORM path to one; let the service store what is computed."
                found.append(Error(f"{where}: {problem}", hint=hint, obj=feed, id="realtime.E005"))
    return found


@register(Tags.database)
def check_capture(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W003: triggers that do not fire, are of other declarations, or fail. Asks the database, so only when told to.

    Silent before the first ``migrate``.
    """
    using = conf.current().database
    if using not in (databases or ()) or not by_triggers(using) or not inspection.is_migrated(connections[using]):
        return []
    troubles = inspection.troubles(connections[using])
    found = [f"Capture triggers are {what} on {', '.join(tables)}." for what, tables in troubles.items()]
    if not found and inspection.is_stale(connections[using]):
        found = ["The capture triggers are not those of the declarations."]
    if not found:
        broken = inspection.broken(connections[using])
        found = [f"Nothing is captured of {feed}: {reason}." for feed, reason in broken.items()]
    hint = "Writes may escape: run migrate, which installs them, then realtime_reconcile. realtime_doctor says more."
    return [checks.Warning(message, hint=hint, id="realtime.W003") for message in found]


def _paths(feed: type[Feed]) -> Iterator[tuple[str, type[models.Model], str, bool]]:
    for gate in feed.gates:
        yield f"{feed.__qualname__}.gates", feed.model, gate, False
    for name, field in feed.fields.items():
        if not isinstance(field, Slot):
            yield f"{feed.__qualname__}.{name}", feed.model, field.path, isinstance(field, Many)
    for part in feed.parts:
        yield f"{part.__qualname__}.owner", part.model, part.owner, False
        for name, value in part.fills.items():
            for path in value.paths.values() if isinstance(value, Record) else [value.path]:
                yield f"{part.__qualname__}.{name}", part.model, path, False


def _problem(model: type[models.Model], path: str, *, many: bool = False) -> str:
    """Return why ``path`` does not lead from ``model`` to a column by foreign keys; '' when it does.

    With ``many`` its first step is a many-to-many relation.
    """
    *hops, last = path.split(".")
    if many:
        first = hops.pop(0) if hops else last
        relation = {field.name: field for field in model._meta.many_to_many}.get(first)
        if relation is None or relation.related_model is None or not path.partition(".")[2]:
            return f"{model.__name__}.{first} is no many-to-many relation, with a column behind it"
        model = relation.related_model
    for hop in hops:
        try:
            field = model._meta.get_field(hop)
        except FieldDoesNotExist:
            return f"{model.__name__} has no relation {hop!r}"
        if not isinstance(field, models.ForeignKey) or isinstance(field.related_model, str):
            return f"{model.__name__}.{hop} is no foreign key"
        model = field.related_model
    columns = {field.name for field in model._meta.concrete_fields} | {f.attname for f in model._meta.concrete_fields}
    return "" if last in columns or last == "pk" else f"{model.__name__} stores no column {last!r}"
