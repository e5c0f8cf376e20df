"""The ways to save that are compared: bare, both captures, and the signal that most projects write."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection
from django.db.models.signals import post_save
from django.test import override_settings

from benchmarks.rounds import Mode
from benchmarks.usual import send
from orders.models import BaseOrder
from realtime import relay
from realtime.capture import postgres


def _realtime(**changes: str) -> override_settings:
    return override_settings(REALTIME={**settings.REALTIME, **changes})


@contextmanager
def by_triggers() -> Iterator[None]:
    """As installed: the database captures."""
    yield
    relay.rest(60)


@contextmanager
def silent() -> Iterator[None]:
    """Nothing of ``realtime`` in this process: it looks at a database that is not there."""
    relay.rest(60)
    with _realtime(DATABASE="none"):
        yield


@contextmanager
def bare() -> Iterator[None]:
    """The same tables and statements, and nothing of ``realtime`` anywhere."""
    with _without_triggers(), silent():
        yield


@contextmanager
def by_orm() -> Iterator[None]:
    """The signals capture, as on other databases."""
    with _without_triggers(), _realtime(CAPTURE="orm"):
        yield
        relay.rest(60)


@contextmanager
def usual() -> Iterator[None]:
    """What tutorials show: a ``post_save`` receiver that sends to the order's group."""
    with bare():
        post_save.connect(send, sender=BaseOrder)
        try:
            yield
        finally:
            post_save.disconnect(send, sender=BaseOrder)


def are_triggers_on() -> bool:
    """Whether the database captures now."""
    return bool(postgres.installed(connection))


@contextmanager
def _without_triggers() -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    postgres.remove("default")
    try:
        yield
    finally:
        postgres.install("default")


NAMED: dict[str, Mode] = {"triggers": by_triggers, "orm": by_orm, "bare": bare, "silent": silent, "usual": usual}
