"""From a saved or deleted row to an event of the log, in the row's own transaction.

``connect`` is called once, by ``RealtimeConfig.ready``. Nothing here talks to the network; after the commit the
relay is woken, and that never fails the caller.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import connections, models, transaction
from django.db.models.signals import post_delete, post_save

from . import conf, log, relay
from .capture import orm
from .feeds import all_feeds


class Committed:
    """Wakes the relay after a commit; while it waits in Django's list, the transaction that it marks is open.

    Django drops it with the savepoint or the transaction that it was registered in, and so do the events that carry
    its ``mark``: the mark cannot outlive what it marks, as a memory in Python would.
    """

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        # Django names a robust hook that fails by its __qualname__; without one its report fails the writer.
        self.__qualname__ = type(self).__qualname__

    def __call__(self) -> None:
        relay.wake()


def mark_of_transaction(using: str) -> str:
    """Return what names the open transaction on ``using``; the relay wakes when it commits."""
    waiting = (entry[1] for entry in connections[using].run_on_commit)
    hook = next((function for function in waiting if isinstance(function, Committed)), None)
    if hook is None:
        hook = Committed()
        transaction.on_commit(hook, using=using, robust=True)
    return hook.mark


def connect() -> None:
    """Hear of every ``save`` and ``delete`` of the models that feeds and their parts read."""
    for feed in all_feeds():
        for model in [feed.model, *(part.model for part in feed.parts)]:
            orm.save_inside_transaction(model)
            post_save.connect(_capture, sender=model, dispatch_uid=f"realtime.save.{model._meta.label}")
            post_delete.connect(_capture, sender=model, dispatch_uid=f"realtime.delete.{model._meta.label}")


def _capture(*, instance: models.Model, using: str, **_: Any) -> None:
    if using != conf.current().database:
        return
    for feed, key in orm.touched(instance):
        with transaction.atomic(using=using, savepoint=False):
            log.record(feed, key, mark=mark_of_transaction(using))


def send_order_update_to_group(order: models.Model, extra_data: Mapping[str, Any] | None = None) -> None:
    """Have every viewer of ``order`` look at it again; kept for callers of the earlier API.

    Saving is enough: this is needed only after a write that sends no signal. What viewers see is the true state, read
    from the database; of ``extra_data`` only ``message`` is shown, and only when there was nothing new. It leaves
    after the commit, from the relay's thread: it never waits for the layer and never fails the caller.
    """
    message = str((extra_data or {}).get("message") or "")

    def hint() -> None:  # a partial has no __qualname__ (see Committed)
        relay.hint("order", order.pk, message)

    transaction.on_commit(hint, using=conf.current().database, robust=True)
