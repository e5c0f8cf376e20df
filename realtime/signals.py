"""From a write to an event of the log, in the writer's own transaction, and to the relay after its commit.

``connect`` is called once, by ``RealtimeConfig.ready``. Nothing here talks to the network; after the commit the
relay is woken, and that never fails the caller.
"""

import re
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save

from . import conf, log, relay, sweep
from .actor import Actor, current
from .capture import orm, queries
from .capture.base import by_triggers
from .capture.sources import Relation, held_models, related_models, relations_of, written_tables
from .feeds import Feed


class Committed:
    """Wakes the relay after a commit; while it waits in Django's list, the transaction that it marks is open.

    Django drops it with the savepoint or the transaction that it was registered in, and so do the events that carry
    its ``mark``: the mark cannot outlive what it marks, as a memory in Python would.
    """

    def __init__(self) -> None:
        self._said, self._said_in = Actor(), list[str | None]()
        # Django names a robust hook that fails by its __qualname__; without one its report fails the writer.
        self.__qualname__ = type(self).__qualname__

    def __call__(self) -> None:
        relay.wake()

    @cached_property
    def mark(self) -> str:
        return uuid.uuid4().hex

    def say(self, who: Actor, savepoints: Sequence[str | None]) -> bool:
        """Return whether the database must be told that ``who`` writes; it forgets with a savepoint."""
        if who == self._said and self._said_in == list(savepoints[: len(self._said_in)]):
            return False
        self._said, self._said_in = who, list(savepoints)
        return True


def hook_of_transaction(using: str) -> Committed:
    """Return the hook of the open transaction on ``using``; the relay wakes when it commits."""
    waiting = (entry[1] for entry in connections[using].run_on_commit)
    hook = next((function for function in waiting if isinstance(function, Committed)), None)
    if hook is None:
        hook = Committed()
        transaction.on_commit(hook, using=using, robust=True)
    return hook


class Reason:
    """Why the open transaction writes; waits in Django's list like ``Committed``, and goes with its savepoint."""

    def __init__(self, text: str) -> None:
        self.text = text[:500]
        self.__qualname__ = type(self).__qualname__

    def __call__(self) -> None:
        """Do nothing: the transaction that it was about has committed."""


def because(reason: str) -> None:
    """Store ``reason`` with the events of the open transaction; for a domain that says itself why, where it decides.

    Say it before the write that it explains. ``actor.acting`` is for who acts, this for what he gives as his reason.
    """
    transaction.on_commit(Reason(reason), using=conf.current().database, robust=True)


def _writer(using: str) -> Actor:
    """Return who is writing now, with the reason that the open transaction was given."""
    waiting = (entry[1] for entry in reversed(connections[using].run_on_commit))
    reason = next((function.text for function in waiting if isinstance(function, Reason)), "")
    return replace(current(), reason=reason) if reason else current()


def connect() -> None:
    """Hear of every write to the models that feeds, their parts and their relations read."""
    held, related = held_models(), related_models()
    if not by_triggers(conf.current().database):
        watch_querysets()
    for model in held:
        orm.save_inside_transaction(model)
        pre_save.connect(_remember, sender=model, dispatch_uid=f"realtime.before.{model._meta.label}")
        post_save.connect(_capture, sender=model, dispatch_uid=f"realtime.save.{model._meta.label}")
        post_delete.connect(_capture, sender=model, dispatch_uid=f"realtime.delete.{model._meta.label}")
    for model in related:
        orm.save_inside_transaction(model)
        post_save.connect(_mark, sender=model, dispatch_uid=f"realtime.related.{model._meta.label}")
        pre_delete.connect(_mark_lists, sender=model, dispatch_uid=f"realtime.lists.{model._meta.label}")
    connection_created.connect(_watch, dispatch_uid="realtime.watch")
    user_logged_out.connect(_logged_out, dispatch_uid="realtime.logged_out")
    post_save.connect(_account_saved, sender=get_user_model(), dispatch_uid="realtime.account")
    post_delete.connect(_account_gone, sender=get_user_model(), dispatch_uid="realtime.account_gone")


def watch_querysets() -> None:
    """Hear of writes of many rows as well; called where the ORM captures."""
    queries.watch(_written)


def _by_orm(using: str) -> bool:
    return using == conf.current().database and not by_triggers(using)


def _remember(*, instance: models.Model, using: str, **_: Any) -> None:
    if _by_orm(using):
        orm.remember_owner(instance, using)


def _capture(*, instance: models.Model, using: str, **_: Any) -> None:
    if _by_orm(using):
        _written(using, orm.touched(instance), [])


def _written(
    using: str, records: Collection[tuple[type[Feed], Any]], related: Collection[tuple[Relation, Any]]
) -> None:
    """Write the events of ``records``, in the order in which everybody locks them, and mark the related rows."""
    if using != conf.current().database:
        return
    with transaction.atomic(using=using, savepoint=False):
        hook, who = hook_of_transaction(using), _writer(using)
        for feed, key in sorted(records, key=lambda record: record[0].topic(record[1])):
            log.record(feed, key, mark=hook.mark, who=who)
        if related:
            sweep.mark(related, using=using, who=who)


def _mark(*, instance: models.Model, created: bool, update_fields: Any, using: str, **_: Any) -> None:
    relations = [] if created or not _by_orm(using) else relations_of(type(instance), update_fields)
    if relations:
        _written(using, [], [(relation, instance.pk) for relation in relations])


def _mark_lists(*, instance: models.Model, using: str, **_: Any) -> None:
    """Its rows in tables between go without a signal."""
    if _by_orm(using):
        for relation in relations_of(type(instance)):
            if relation.holder.model._meta.auto_created:
                keys = relation.records(instance.pk).using(using).values_list("pk", flat=True)
                sweep.mark_records([(relation.holder.feed, key) for key in keys], using=using, who=_writer(using))
                hook_of_transaction(using)


def _logged_out(*, user: Any, **_: Any) -> None:
    if user is not None and user.pk is not None:
        relay.suspect(str(user.pk))
        relay.wake()


def _account_saved(*, instance: models.Model, created: bool, update_fields: Collection[str] | None, **_: Any) -> None:
    if not created and (update_fields is None or set(update_fields) - {"last_login"}):
        _account_gone(instance=instance)


def _account_gone(*, instance: models.Model, **_: Any) -> None:
    """Have the sockets of an account looked at, once what is written of it has committed."""
    account = str(instance.pk)  # a deleted one has no key any more by then

    def suspect() -> None:  # a partial has no __qualname__ (see Committed)
        relay.suspect(account)
        relay.wake()

    transaction.on_commit(suspect, using=instance._state.db, robust=True)


def _watch(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    if _watched not in connection.execute_wrappers:
        connection.execute_wrappers.append(_watched)


def _watched(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Mapping[str, Any]) -> Any:
    """Run a statement; when it writes a synchronised table, say who writes before it and wake the relay after it.

    Signals do not see ``update()``, bulk calls and SQL; the triggers do, and this is how the relay learns of it.
    """
    connection = context["connection"]
    alias = connection.alias
    if alias != conf.current().database or not by_triggers(alias) or not _writes(sql):
        return execute(sql, params, many, context)
    if connection.in_atomic_block:
        return _execute_saying_who(execute, sql, params, many, context)
    if current() != Actor() and connection.get_autocommit():
        # What is said lasts as long as a transaction: a statement by itself becomes one.
        with transaction.atomic(using=alias):
            return _execute_saying_who(execute, sql, params, many, context)
    result = execute(sql, params, many, context)
    relay.wake()
    return result


_WRITING = ("INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "TRUNC")
SAY_WHO = (
    "SELECT set_config('realtime.actor', %s, true), set_config('realtime.source', %s, true),"
    " set_config('realtime.request', %s, true), set_config('realtime.reason', %s, true)"
)
_SAID_BEFORE = "".join(f"SET LOCAL realtime.{name} = %s; " for name in ("actor", "source", "request", "reason"))
"""The same for a driver that sends text: nothing to plan, and nothing to answer."""


def _execute_saying_who(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Mapping[str, Any]
) -> Any:
    """Run a statement after the database was told who writes; it forgets with the transaction or the savepoint.

    Told once a transaction, and in one message with the statement where the driver sends text: a round trip by itself
    would cost a tenth of a save.
    """
    connection = context["connection"]
    who = _writer(connection.alias)
    if not hook_of_transaction(connection.alias).say(who, connection.savepoint_ids):
        return execute(sql, params, many, context)
    words = [who.name, who.source, who.request, who.reason]
    if many or not isinstance(sql, str) or params is None or connection.features.uses_server_side_binding:
        with connection.cursor() as cursor:
            cursor.execute(SAY_WHO, words)
        return execute(sql, params, many, context)
    result = execute(f"{_SAID_BEFORE}{sql}", (*words, *params), many, context)
    for _ in words:
        context["cursor"].nextset()
    return result


@cache
def _any_of(tables: Collection[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, tables)))


def _writes(sql: Any) -> bool:
    """Whether ``sql`` may write a synchronised table; rather once too often."""
    if not isinstance(sql, str):
        return True
    verb = sql[:16].lstrip()[:6].upper()
    return verb.startswith(_WRITING) and _any_of(written_tables()).search(sql) is not None


def send_order_update_to_group(order: models.Model, extra_data: Mapping[str, Any] | None = None) -> None:
    """Have every viewer of ``order`` look at it again; kept for callers of the earlier API.

    Saving is enough: this is needed only after a write that nothing captures. What viewers see is the true state, read
    from the database; of ``extra_data`` only ``message`` is shown, and only when there was nothing new. It leaves
    after the commit, from the relay's thread: it never waits for the layer and never fails the caller.
    """
    message = str((extra_data or {}).get("message") or "")

    def hint() -> None:  # a partial has no __qualname__ (see Committed)
        relay.hint("order", order.pk, message)

    transaction.on_commit(hint, using=conf.current().database, robust=True)
