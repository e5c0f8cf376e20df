"""The log: what each topic's state is, and every committed change of it.

``log.py`` writes it, ``history.py`` reads it, ``retention.py`` and ``erasure.py`` take from it; nothing else touches
these tables.
"""

import uuid

from django.db import models
from django.utils import timezone


class Stream(models.Model):
    """The newest version of one topic. Its row lock gives versions their order; it stays when the record goes."""

    topic = models.CharField(max_length=200, primary_key=True)
    version = models.BigIntegerField(default=0)
    state = models.JSONField(null=True, help_text="Declared fields and gates; null when the record does not exist.")
    changed = models.JSONField(default=list, help_text="The fields that the newest version changed.")
    at = models.DateTimeField(default=timezone.now)
    transaction = models.CharField(
        max_length=64, blank=True, help_text="Mark of the transaction that wrote the newest version."
    )

    def __str__(self) -> str:
        return f"{self.topic} v{self.version}"


class Event(models.Model):
    """One committed change of one topic: at most one for each topic and transaction."""

    topic = models.CharField(max_length=200)
    version = models.BigIntegerField()
    state = models.JSONField(null=True, help_text="The state after the change; null when the record was deleted.")
    before = models.JSONField(
        null=True, help_text="The fields that changed, with their values before; null when there was no state."
    )
    actor = models.CharField(max_length=100, blank=True)
    context = models.JSONField(default=dict, help_text="Source, request, reason and database role of the change.")
    at = models.DateTimeField(default=timezone.now)
    pos = models.BigIntegerField(null=True, help_text="Global position; null until the relay has settled the event.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["topic", "version"], name="realtime_one_event_a_version"),
            models.UniqueConstraint(fields=["pos"], name="realtime_one_event_a_position"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(pos=None), name="realtime_unsettled"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} v{self.version}"


class Sweep(models.Model):
    """A related row was changed: the records that show it are told after the commit, in batches, by ``sweep.py``."""

    feed = models.CharField(max_length=100)
    relation = models.CharField(max_length=200, help_text="The way from the record; empty: the key is the record's.")
    key = models.CharField(max_length=100)
    after = models.CharField(max_length=100, blank=True, help_text="The last record that was told.")
    actor = models.CharField(max_length=100, blank=True)
    context = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.feed} {self.relation} {self.key}"


class Ticket(models.Model):
    """A right to open one socket, soon. The ticket itself is not kept, only its hash and whose it is."""

    digest = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of the ticket, in hexadecimal.")
    session = models.TextField(blank=True)
    account = models.CharField(max_length=100, blank=True)
    proof = models.CharField(max_length=200, blank=True)
    until = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"ticket until {self.expires_at:%H:%M:%S}"


def _random_epoch() -> str:
    return uuid.uuid4().hex


class Epoch(models.Model):
    """One row: the identity of this database's history, and the last position that was given out."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    epoch = models.CharField(max_length=32, default=_random_epoch)
    pos = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="realtime_one_epoch")]

    def __str__(self) -> str:
        return self.epoch
