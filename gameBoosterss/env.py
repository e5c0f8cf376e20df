"""The environment, typed: a value is right, or the error names the variable and what to do."""

import os
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote, urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

LEAST_BYTES = 12  # different ones in a key that was made at random
TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}


class SettingError(ImproperlyConfigured):
    """An environment variable is missing or has a value that cannot be used."""

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(f"{name} {problem}. {remedy}")


class Environment:
    """Reads variables by type; an empty value counts as absent, as compose files write it.

    >>> Environment({"DEBUG": "yes"}).flag("DEBUG", default=False)
    True
    >>> Environment({"LOG_LEVEL": "LOUD"}).choice("LOG_LEVEL", ("DEBUG", "INFO"), default="INFO")
    Traceback (most recent call last):
    ...
    gameBoosterss.env.SettingError: LOG_LEVEL is 'LOUD'. Use one of: DEBUG, INFO.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = os.environ if values is None else values

    def text(self, name: str, *, default: str = "") -> str:
        """The value as it stands."""
        return self.values.get(name, "").strip() or default

    def required(self, name: str, *, remedy: str) -> str:
        """The value; its absence is an error that says how to set it."""
        value = self.text(name)
        if not value:
            raise SettingError(name, "is not set", remedy)
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """On or off."""
        value = self.text(name).lower()
        if value and value not in TRUE | FALSE:
            raise SettingError(name, f"is {value!r}", "Use 1 or 0.")
        return value in TRUE if value else default

    def number(self, name: str, *, default: int, least: int = 0) -> int:
        """A whole number, ``least`` or more."""
        value = self.text(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit()) or int(value) < least:
            raise SettingError(name, f"is {value!r}", f"Use a whole number from {least} on.")
        return int(value)

    def choice(self, name: str, choices: Sequence[str], *, default: str) -> str:
        """One of ``choices``."""
        value = self.text(name, default=default)
        if value not in choices:
            raise SettingError(name, f"is {value!r}", f"Use one of: {', '.join(choices)}.")
        return value

    def names(self, name: str) -> list[str]:
        """A list written with commas."""
        return [part.strip() for part in self.text(name).split(",") if part.strip()]

    def networks(self, name: str) -> list[str]:
        """Addresses and networks, with commas; ``unix`` stands for the peer of a UNIX socket.

        >>> Environment({"PROXIES": "127.0.0.1, 10.0.0.0/8,unix"}).networks("PROXIES")
        ['127.0.0.1', '10.0.0.0/8', 'unix']
        >>> Environment({"PROXIES": "10.0.0.1/8"}).networks("PROXIES")
        Traceback (most recent call last):
        ...
        gameBoosterss.env.SettingError: PROXIES names no network: 10.0.0.1/8. Write 10.0.0.0/8, or 10.1.2.3, or unix.
        """
        found = self.names(name)
        for text in found:
            try:
                _ = text == "unix" or ip_network(text)
            except ValueError:
                raise SettingError(
                    name, f"names no network: {text}", "Write 10.0.0.0/8, or 10.1.2.3, or unix."
                ) from None
        return found

    def keys(self, name: str, *, least: int = 32) -> dict[str, str]:
        """Secrets by their names, written ``new:secret,old:secret``; each of ``least`` characters or more.

        >>> Environment({"KEYS": "new:0123456789,old:9876543210"}).keys("KEYS", least=10)
        {'new': '0123456789', 'old': '9876543210'}
        >>> Environment({"KEYS": "new:0123"}).keys("KEYS", least=10)
        Traceback (most recent call last):
        ...
        gameBoosterss.env.SettingError: KEYS has a part that is no key. Write name:<10 characters or more>, with commas.
        """
        pairs = [part.partition(":") for part in self.names(name)]
        # The values are never shown.
        if any(not key or len(secret) < least for key, _, secret in pairs):
            remedy = f"Write name:<{least} characters or more>, with commas."
            raise SettingError(name, "has a part that is no key", remedy)
        found = {key: secret for key, _, secret in pairs}
        if len(found) < len(pairs):
            raise SettingError(name, "has two keys under one name", "Give each key a name of its own.")
        return found

    def sealing_keys(self, name: str) -> dict[str, str]:
        """Keys of ``cryptography.fernet`` by their names, written ``new:key,old:key``.

        >>> Environment({"KEYS": "new:" + "k" * 40}).sealing_keys("KEYS")
        Traceback (most recent call last):
        ...
        gameBoosterss.env.SettingError: KEYS has a part that is no key. Write name:<Fernet.generate_key()>, with commas.
        >>> Environment({"KEYS": "new:" + "A" * 43 + "="}).sealing_keys("KEYS")
        Traceback (most recent call last):
        ...
        gameBoosterss.env.SettingError: KEYS has a key that is guessed. Write name:<Fernet.generate_key()>, with commas.
        """
        pairs = [part.partition(":") for part in self.names(name)]
        found = {key: secret for key, _, secret in pairs}
        remedy = "Write name:<Fernet.generate_key()>, with commas."
        try:
            if len(found) < len(pairs) or any(not 0 < len(key) <= 40 for key in found):
                raise ValueError
            for secret in found.values():
                Fernet(secret)
        except ValueError:  # the values are never shown
            raise SettingError(name, "has a part that is no key", remedy) from None
        # 32 random bytes have about 30 different ones; all zeros have one.
        if any(len(set(urlsafe_b64decode(secret))) < LEAST_BYTES for secret in found.values()):
            raise SettingError(name, "has a key that is guessed", remedy)
        return found

    def database(self, name: str, *, default: str = "") -> dict[str, Any]:
        """Django's settings of the database that the URL names."""
        url = self.text(name, default=default)
        if not url:
            raise SettingError(name, "is not set", "For example postgres://user:password@host:5432/name")
        # The value is never shown: it carries a password.
        if urlsplit(url).scheme not in {"postgres", "postgresql", "sqlite"}:
            raise SettingError(name, "names no known database", "Start it with postgres:// or sqlite:///.")
        try:
            return dict(environ.Env.db_url_config(url))
        except (ValueError, ImproperlyConfigured):
            raise SettingError(name, "cannot be read", "Percent-encode special characters in it.") from None

    def redis(self) -> str:
        """The URL of Redis or Valkey, from REDIS_URL or REDIS_HOST and REDIS_PORT; empty when there is none."""
        url = self.text("REDIS_URL")
        if url:
            if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
                raise SettingError("REDIS_URL", "names no Redis", "For example redis://:password@host:6379/0")
            return url
        host = self.text("REDIS_HOST")
        if not host:
            return ""
        password = self.text("REDIS_PASSWORD")
        credentials = f":{quote(password, safe='')}@" if password else ""
        return f"redis://{credentials}{host}:{self.number('REDIS_PORT', default=6379, least=1)}/0"
