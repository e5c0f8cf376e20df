class WalletError(Exception):
    """The books refused; whatever was going on is rolled back."""


class AppendOnly(WalletError):
    """A row of the ledger is never changed or deleted: post a row that sets it right."""


class PayoutsHeld(WalletError):
    """Nothing is paid out while the order is disputed: a manager decides first."""


class OverPaid(WalletError):
    """More would leave the house than the order allows."""
