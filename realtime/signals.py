"""From a write to an event of the log, in the writer's own transaction, and to the relay after its commit.

``connect`` is called once, by ``RealtimeConfig.ready``. Nothing here talks to the network; after the commit the
relay is woken, and that never fails the caller.
"""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_delete, post_save

from . import conf, log, relay
from .actor import Actor, current
from .capture import orm
from .capture.base import by_triggers
from .feeds import synchronised_models


class Committed:
    """Wakes the relay after a commit; while it waits in Django's list, the transaction that it marks is open.

    Django drops it with the savepoint or the transaction that it was registered in, and so do the events that carry
    its ``mark``: the mark cannot outlive what it marks, as a memory in Python would.
    """

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self._said, self._said_in = Actor(), list[str | None]()
        # Django names a robust hook that fails by its __qualname__; without one its report fails the writer.
        self.__qualname__ = type(self).__qualname__

    def __call__(self) -> None:
        relay.wake()

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


def connect() -> None:
    """Hear of every write to the models that feeds and their parts read."""
    _tables.cache_clear()
    for model in synchronised_models():
        orm.save_inside_transaction(model)
        post_save.connect(_capture, sender=model, dispatch_uid=f"realtime.save.{model._meta.label}")
        post_delete.connect(_capture, sender=model, dispatch_uid=f"realtime.delete.{model._meta.label}")
    connection_created.connect(_watch, dispatch_uid="realtime.watch")


def _capture(*, instance: models.Model, using: str, **_: Any) -> None:
    if using != conf.current().database or by_triggers(using):
        return
    for feed, key in orm.touched(instance):
        with transaction.atomic(using=using, savepoint=False):
            log.record(feed, key, mark=hook_of_transaction(using).mark)


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
    result = execute(sql, params, many, context)
    relay.wake()
    return result


_WRITING = ("INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "TRUNC")
SAY_WHO = (
    "SELECT set_config('realtime.actor', %s, true), set_config('realtime.source', %s, true),"
    " set_config('realtime.request', %s, true), set_config('realtime.reason', %s, true)"
)


def _execute_saying_who(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Mapping[str, Any]
) -> Any:
    """Run a statement after the database was told who writes; it forgets with the transaction or the savepoint.

    Told once a transaction, and in one message with the statement where the driver sends text: a round trip by itself
    would cost a tenth of a save.
    """
    connection, who = context["connection"], current()
    if not hook_of_transaction(connection.alias).say(who, connection.savepoint_ids):
        return execute(sql, params, many, context)
    words = [who.name, who.source, who.request, who.reason]
    if many or not isinstance(sql, str) or params is None or connection.features.uses_server_side_binding:
        with connection.cursor() as cursor:
            cursor.execute(SAY_WHO, words)
        return execute(sql, params, many, context)
    result = execute(f"{SAY_WHO}; {sql}", (*words, *params), many, context)
    context["cursor"].nextset()
    return result


@cache
def _tables() -> re.Pattern[str]:
    return re.compile("|".join(re.escape(model._meta.db_table) for model in synchronised_models()))


def _writes(sql: Any) -> bool:
    """Whether ``sql`` may write a synchronised table; rather once too often."""
    if not isinstance(sql, str):
        return True
    verb = sql[:16].lstrip()[:6].upper()
    return verb.startswith(_WRITING) and _tables().search(sql) is not None


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
