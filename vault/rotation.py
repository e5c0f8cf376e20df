"""Sealing everything by the newest key, batch by batch. Started again, it does what is left."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction

from vault.exceptions import AccountLocked
from vault.keys import keyring
from vault.models import GameAccount


@dataclass(frozen=True, slots=True)
class Turned:
    """One batch: how many rows were sealed anew, and why others could not be opened, by order."""

    rows: int
    locked: dict[int, str]


def accounts_turn(*, batch: int, everything: bool = False) -> Iterator[Turned]:
    """Seal every row by the first key, in the order of their keys; each batch is a transaction.

    ``everything`` takes rows of the first key too: when a secret got another name, or its name another secret.
    """
    last = 0
    while True:
        with transaction.atomic():
            rows = GameAccount.objects.select_for_update(of=("self",)).filter(pk__gt=last).order_by("pk")
            found = list((rows if everything else rows.exclude(key=keyring().first))[:batch])
            turned, locked = _turned(found)
            GameAccount.objects.bulk_update(turned, ["key", "token"])
        if not found:
            return
        last = found[-1].pk
        yield Turned(len(turned), locked)


def _turned(rows: list[GameAccount]) -> tuple[list[GameAccount], dict[int, str]]:
    ring, turned, locked = keyring(), [], {}
    for row in rows:
        try:
            sealed = ring.turn(row.sealed)
        except AccountLocked as refusal:
            locked[row.order_id] = str(refusal)
            continue
        row.key, row.token = sealed.key, sealed.token
        turned.append(row)
    return turned, locked
