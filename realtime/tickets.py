"""Tickets: who has no cookie where his socket goes gets one over HTTP and shows it there, once (PROTOCOL §6).

A ticket is 256 random bits. The database has its SHA-256 only, and whose it is: the claim under which it was issued,
so a ticket ends with the session that asked for it. Its time is counted by the database's clock.
"""

import hashlib
import secrets
from collections.abc import Collection
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from . import conf
from .identity import Claim
from .models import Ticket

MOST_CHARS = 200
"""Longer text is no ticket."""


def issue(claim: Claim) -> str:
    """Return a new ticket for whoever ``claim`` stands for. Expired ones are removed on the way."""
    value = secrets.token_urlsafe(32)
    rows = Ticket.objects.using(conf.current().database)
    rows.filter(expires_at__lt=Now()).delete()
    rows.create(
        digest=_digest(value),
        session=claim.session,
        account=claim.account,
        proof=claim.proof,
        until=claim.until,
        expires_at=Now() + timedelta(seconds=conf.current().ticket_seconds),
    )
    return value


def redeem(values: Collection[str]) -> dict[str, Claim]:
    """Take the tickets among ``values``, and return their claims; each is taken once, also in a race.

    What is forged, expired or taken before is left out.
    """
    digests = {_digest(value): value for value in values if len(value) <= MOST_CHARS}
    using = conf.current().database
    with transaction.atomic(using=using):
        rows = Ticket.objects.using(using).select_for_update().filter(digest__in=digests).order_by("digest")
        found = list(rows.filter(expires_at__gte=Now()))
        Ticket.objects.using(using).filter(digest__in=[ticket.digest for ticket in found]).delete()
    return {
        digests[ticket.digest]: Claim(ticket.session, ticket.account, ticket.proof, ticket.until) for ticket in found
    }


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
