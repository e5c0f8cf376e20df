"""The keys of this server, from the setting ``ACCOUNT_KEYS``."""

from django.conf import settings

from vault.sealing import Keyring


def keyring() -> Keyring:
    """Return the keys; read each time, so that a test may change them."""
    return Keyring(settings.ACCOUNT_KEYS)
