"""Capture by the ORM: whether each declared model is heard, and what cannot be."""

from collections.abc import Iterator

from django.db.models.signals import post_delete, post_save

from ..capture.sources import held_models
from .finding import RECONCILE, Finding


def examine() -> Iterator[Finding]:
    """Yield a finding a model. Signals cannot be tried without calling the receivers of the project: we only look."""
    heard = {entry[0][0] for signal in (post_save, post_delete) for entry in signal.receivers}
    for model in held_models():
        label = model._meta.label
        if {f"realtime.save.{label}", f"realtime.delete.{label}"} <= heard:
            yield Finding("ok", f"{label}: save and delete are heard by signals")
        else:
            remedy = "declare it in a module feeds of an installed app"
            yield Finding("FAIL", f"{label}: the signals are not connected", remedy)
    what = "SQL, COPY and other programs are not seen; the ORM's writes of many rows are"
    yield Finding("warn", what, f"use PostgreSQL with CAPTURE auto; after such a write {RECONCILE}")
