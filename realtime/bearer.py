"""Bearer tokens for programs: JSON Web Tokens (RFC 7519), signed by a key of ``REALTIME["TOKEN_KEYS"]``.

The keys are named; a token says by ``kid`` which one signed it. The first signs, the others are taken: put a new key in
front, and take the old one away when its tokens have expired.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from . import conf
from .exceptions import NoTokenKey
from .identity import Claim, accounts, proof_of

ALGORITHM = "HS256"
MOST_CHARS = 4096
"""Longer text is no token."""


def issue(user: Any, lifetime: timedelta, *, now: float | None = None) -> str:
    """Return a token for ``user``; it ends after ``lifetime``, and with the user's password.

    Raises ``NoTokenKey`` where no key is set.
    """
    keys = conf.current().token_keys
    if not keys:
        raise NoTokenKey('set REALTIME["TOKEN_KEYS"] = {"<name>": "<64 random characters>"}, and try again')
    name, secret = next(iter(keys.items()))
    began = time.time() if now is None else now
    claims = {
        "sub": str(user.pk),
        "iat": int(began),
        "exp": int(began + lifetime.total_seconds()),
        "fpr": proof_of(user),
    }
    return jwt.encode({"alg": ALGORITHM, "kid": name}, claims, OctKey.import_key(secret))


def claim_in(token: str) -> Claim | None:
    """Return what ``token`` claims; ``None`` when none of our keys signed it, or when it has expired.

    Signed, it still holds only while the account does: ``identity.accounts``.
    """
    if len(token) > MOST_CHARS:
        return None
    try:
        return _claim(token)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _claim(token: str) -> Claim | None:
    read = jwt.decode(token, _key, algorithms=[ALGORITHM])
    jwt.JWTClaimsRegistry(sub={"essential": True}, exp={"essential": True}).validate(read.claims)
    return Claim(account=str(read.claims["sub"]), proof=str(read.claims.get("fpr", "")), until=int(read.claims["exp"]))


def _key(header: Any) -> OctKey:
    return OctKey.import_key(conf.current().token_keys[header.headers()["kid"]])


class BearerMiddleware:
    """A request with ``Authorization: Bearer`` is made by the token's account, and by nobody when the token is bad.

    Stands after ``AuthenticationMiddleware``. No page of another site can make a browser send the header, so such a
    request needs no CSRF token; the session's cookie beside it does not count.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            _rest_on(claim_in(token.strip()), request)
        return self.get_response(request)


def _rest_on(claim: Claim | None, request: Any) -> None:
    """Have ``request`` be made by whom ``claim`` stands for; read when it is asked, and once."""
    found: list[Any] = []

    def user() -> Any:
        if not found:
            found.append(accounts([claim]).get(claim) if claim else None)
        return found[0] or AnonymousUser()

    request.claim = claim
    request.user = SimpleLazyObject(user)
    request.auser = sync_to_async(user)
    request._dont_enforce_csrf_checks = True
