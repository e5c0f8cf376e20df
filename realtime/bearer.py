"""Bearer tokens for programs: JSON Web Tokens (RFC 7519), signed by a key of ``REALTIME["TOKEN_KEYS"]``.

The keys are named; a token says by ``kid`` which one signed it. The first signs, the others are taken: put a new key in
front, and take the old one away when its tokens have expired.
"""

import time
from datetime import timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from . import conf
from .exceptions import NoTokenKey
from .identity import Claim, proof_of

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
