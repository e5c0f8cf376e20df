"""Refusals. None of them repeats what was given."""

from orders.exceptions import OrderError


class VaultError(OrderError):
    """The account data of an order was not touched, or not shown."""


class AccountMissing(VaultError):
    """The client has given none, or it was erased."""

    def __init__(self, *_: object) -> None:
        super().__init__("No account data is here: the client has given none yet, or it was erased.")


class BadAccount(VaultError):
    """Not what can be kept."""


class AccountLocked(VaultError):
    """It cannot be opened with the keys of this server."""


class AppendOnly(Exception):
    """Nobody changes or deletes what was written about a reading."""
