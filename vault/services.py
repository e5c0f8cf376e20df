"""Giving, showing and erasing account data. Each locks the order first, so that nobody is shown what he just lost."""

import logging
from functools import lru_cache

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from orders.locks import order_lock
from vault.access import erase_check, read_check, write_check
from vault.exceptions import AccountLocked, AccountMissing, BadAccount
from vault.keys import keyring
from vault.models import GameAccount, Reading
from vault.sealing import Credentials

logger = logging.getLogger(__name__)
LIMITS = {"login": 100, "password": 200, "remarks": 500}  # nosec B105 - characters


@sensitive_variables()
@transaction.atomic
def account_write(*, order_id: int, login: str, password: str, remarks: str = "", by: User) -> GameAccount:
    """Seal what opens the account; it takes the place of what was given before."""
    order = order_lock(order_id=order_id, by=by)
    write_check(by, order)
    _text_check("login", login, required=True)
    _text_check("password", password, required=True)
    _text_check("remarks", remarks)
    sealed = keyring().seal(Credentials(login, password, remarks), order_id=order.pk)
    account, _ = GameAccount.objects.update_or_create(
        order=order, defaults={"key": sealed.key, "token": sealed.token, "changed_at": timezone.now()}
    )
    return account


@sensitive_variables()
@transaction.atomic(durable=True)
def account_read(*, order_id: int, by: User, address: str | None) -> Credentials:
    """Write down that ``by`` reads, and return what opens the account.

    Inside a transaction it is refused: what it returned may leave the house only when the reading is committed.
    """
    order = order_lock(order_id=order_id, by=by)
    read_check(by, order)
    account = GameAccount.objects.filter(order=order).first()
    if account is None:
        raise AccountMissing
    try:
        credentials = keyring().open(account.sealed, order_id=order.pk)
    except AccountLocked as refusal:
        locked_say(str(refusal))
        raise AccountLocked("The account data cannot be opened just now. Ask the staff.") from None
    Reading.objects.create(order=order, reader=by, role=by.role, address=address)
    return credentials


@transaction.atomic
def account_erase(*, order_id: int, by: User) -> bool:
    """Erase the account data at its client's wish; return whether there was any. The readings stay."""
    order = order_lock(order_id=order_id, by=by)
    erase_check(by, order)
    return bool(GameAccount.objects.filter(order=order).delete()[0])


@lru_cache(maxsize=64)
def locked_say(reason: str) -> None:
    """Tell the log what is wrong with the keys, each thing once in a process: people ask again and again."""
    logger.error(reason)


def _text_check(name: str, value: object, *, required: bool = False) -> None:
    """Refuse what cannot be kept; white space stays, a password may begin with it."""
    if not isinstance(value, str):
        raise BadAccount(f"The {name} must be text.")
    # UTF-8 has no lone surrogates, and no form sends a NUL.
    if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadAccount(f"The {name} holds characters that are no text.")
    if len(value) > LIMITS[name]:
        raise BadAccount(f"The {name} may have {LIMITS[name]} characters.")
    if required and not value.strip():
        raise BadAccount(f"The {name} is missing.")
