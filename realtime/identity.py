"""Who stands behind a socket, and whether he still does: asked when it opens, and again while it is open.

A claim is what somebody shows: the cookie of a session, or an account that a middleware has vouched for. It holds
while the account is active and its password is the same, and for a session while that is not ended. Asked for many at
once: two statements, however many sockets.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.core.exceptions import ValidationError
from django.http import parse_cookie
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from .text import can_be_stored


@dataclass(frozen=True, slots=True)
class Claim:
    """The key of a session; or the text of an account's key, with the hash that changes with its password.

    ``until``, seconds since 1970: a token's end, and then ``proof`` may be empty, if its issuer gave none.
    ``reads_only``: it stands for the account where somebody looks, and for nothing that he does.
    """

    session: str = ""
    account: str = ""
    proof: str = ""
    until: int = 0
    reads_only: bool = False


def claim_in(scope: Mapping[str, Any]) -> Claim | None:
    """Return what an ASGI scope claims; ``None``: nothing, or a middleware has said that it is nobody.

    ``scope["user"]`` and ``scope["session"]`` count where a middleware has set them, such as ``AuthMiddlewareStack``.
    Otherwise the session's cookie does, and is judged by ``accounts`` together with others.
    """
    if "user" not in scope:
        key = _cookie(scope.get("headers", ()))
        return Claim(session=key) if key else None
    return claim_of(scope["user"], scope.get("session"))


def claim_of(user: Any, session: Any) -> Claim | None:
    """Return the claim of a user whom a middleware has found; ``None`` for nobody."""
    if user is None or not user.is_authenticated:
        return None
    key = getattr(session, "session_key", None)
    return Claim(session=key) if key else Claim(account=str(user.pk), proof=proof_of(user))


def _cookie(headers: Iterable[tuple[bytes, bytes]]) -> str:
    said = "; ".join(value.decode("latin-1") for name, value in headers if name == b"cookie")
    key = parse_cookie(said).get(settings.SESSION_COOKIE_NAME, "")
    return key if key.isascii() and key.isprintable() else ""  # octal escapes bring anything, a NUL too


def accounts(claims: Collection[Claim]) -> dict[Claim, Any]:
    """Return the users behind those of ``claims`` that hold now. Reads the sessions' and the users' database.

    What no database can hold is nobody's, whichever authenticator has read it.
    """
    asked = [claim for claim in claims if can_be_stored(claim.session + claim.account)]
    sessions = _sessions([claim.session for claim in asked if claim.session])
    proven = {claim: _shown(claim, sessions) for claim in asked}
    users = _users({account for account, _ in proven.values()})
    held = {claim: users[account] for claim, (account, _) in proven.items() if account in users}
    return {claim: user for claim, user in held.items() if _holds(user, proven[claim][1], claim.until)}


def _shown(claim: Claim, sessions: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """Return the account that ``claim`` names, and the proof that it brings for it."""
    if not claim.session:
        return claim.account, claim.proof
    data = sessions.get(claim.session, {})
    if data.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return "", ""
    return str(data.get(SESSION_KEY, "")), str(data.get(HASH_SESSION_KEY, ""))


def _sessions(keys: Collection[str]) -> dict[str, Mapping[str, Any]]:
    store = import_module(settings.SESSION_ENGINE).SessionStore
    if not keys or not hasattr(store, "get_model_class"):
        return {key: _loaded(store(key)) for key in set(keys)}
    rows = store.get_model_class()._default_manager.filter(session_key__in=set(keys), expire_date__gt=timezone.now())
    decoder = store()
    return {row.session_key: decoder.decode(row.session_data) for row in rows}


def _loaded(store: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = store.load()
    return found


def _users(keys: Collection[str]) -> dict[str, Any]:
    model = get_user_model()
    wanted = []
    for key in filter(None, keys):
        try:
            found = model._meta.pk.to_python(key)
            model._meta.pk.run_validators(found)  # a number that no column can hold fails the read of all
        except ValidationError:
            continue
        wanted.append(found)
    users = model._default_manager.filter(pk__in=wanted) if wanted else ()
    return {str(user.pk): user for user in users}


def proof_of(user: Any) -> str:
    """Return the hash that changes with the user's password."""
    return str(user.get_session_auth_hash()) if hasattr(user, "get_session_auth_hash") else ""


def _holds(user: Any, proof: str, until: int) -> bool:
    if not user.is_active or 0 < until <= time.time():
        return False
    if until and not proof:
        return True
    hashes = [proof_of(user), *getattr(user, "get_session_auth_fallback_hash", list)()]
    return any(constant_time_compare(proof, known) for known in hashes)
