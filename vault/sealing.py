"""Account data as it lies in the database: sealed, by a key that has a name. No row and no setting is read here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from vault.exceptions import AccountLocked

KEPT = "The data is kept: put the key back into ACCOUNT_KEYS, under its name."


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What opens a game account. It never shows itself.

    >>> Credentials("carla", "hunter2", "")
    <account data>
    """

    login: str
    password: str
    remarks: str

    def __repr__(self) -> str:
        return "<account data>"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A token, and the name of the key that made it."""

    key: str
    token: str


class Keyring:
    """Keys by their names: the first seals, all of them open.

    >>> old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    >>> sealed = Keyring({"old": old}).seal(Credentials("carla", "hunter2", ""), order_id=5)
    >>> turned = Keyring({"new": new, "old": old}).turn(sealed)
    >>> turned.key, Keyring({"new": new}).open(turned, order_id=5).password
    ('new', 'hunter2')
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._names = list(keys)
        self._fernet = MultiFernet([Fernet(secret) for secret in keys.values()])

    @property
    def first(self) -> str:
        """The name of the key that seals."""
        return self._names[0]

    def seal(self, credentials: Credentials, *, order_id: int) -> Sealed:
        """Return ``credentials`` sealed for one order: in the row of another they do not open."""
        names = Credentials.__slots__
        content = {"order": order_id} | {name: getattr(credentials, name) for name in names}
        return Sealed(self.first, self._fernet.encrypt(json.dumps(content).encode()).decode())

    def open(self, sealed: Sealed, *, order_id: int) -> Credentials:
        """Return what was sealed for ``order_id``; ``AccountLocked`` says which key is missing or wrong."""
        content = json.loads(self._opened(sealed))
        if content.pop("order") != order_id:
            raise AccountLocked("This account data was sealed for another order. Look at the table by hand.")
        return Credentials(**content)

    def turn(self, sealed: Sealed) -> Sealed:
        """Return the same content sealed by the first key."""
        self._opened(sealed)
        return Sealed(self.first, self._fernet.rotate(sealed.token.encode()).decode())

    def _opened(self, sealed: Sealed) -> bytes:
        try:
            return self._fernet.decrypt(sealed.token.encode())
        except InvalidToken:
            pass  # the error below is raised without it: a traceback of it would show the token
        if sealed.key not in self._names:
            raise AccountLocked(f"The account data is sealed by the key {sealed.key!r}, which is not here. {KEPT}")
        raise AccountLocked(f"The key {sealed.key!r} is another one than the one that sealed the data. {KEPT}")
