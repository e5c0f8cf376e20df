"""Bearer tokens for programs: JSON Web Tokens (RFC 7519), signed by a key of ``REALTIME["TOKEN_KEYS"]``.

The keys are named; a token says by ``kid`` which one signed it. The first signs, the others are taken: put a new key in
front, and take the old one away when its tokens have expired. None lasts longer than ``TOKEN_DAYS_AT_MOST``.

With the claim ``scope: "read"`` a token reads only; without ``scope`` it does what its account may.
"""

import time
from datetime import timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from . import conf
from .exceptions import NoTokenKey, TokenTooLong
from .identity import Claim, proof_of

ALGORITHM = "HS256"
MOST_CHARS = 4096
"""Longer text is no token."""
DAY = 24 * 3600
READ = "read"


def issue(user: Any, lifetime: timedelta, *, reads_only: bool = False, now: float | None = None) -> str:
    """Return a token for ``user``, or for his eyes only; it ends after ``lifetime``, and with the user's password.

    Raises ``NoTokenKey`` where no key is set, and ``TokenTooLong`` for a lifetime above ``TOKEN_DAYS_AT_MOST``.
    """
    keys, most = conf.current().token_keys, conf.current().token_days_at_most
    if lifetime.total_seconds() > most * DAY:
        raise TokenTooLong(f'a token lasts {most:g} days at most, by REALTIME["TOKEN_DAYS_AT_MOST"]')
    if not keys:
        raise NoTokenKey('set REALTIME["TOKEN_KEYS"] = {"<name>": "<64 random characters>"}, and try again')
    name, secret = next(iter(keys.items()))
    began = time.time() if now is None else now
    claims = {
        "sub": str(user.pk),
        "iat": int(began),
        "exp": int(began + lifetime.total_seconds()),
        "fpr": proof_of(user),
        **({"scope": READ} if reads_only else {}),
    }
    return jwt.encode({"alg": ALGORITHM, "kid": name}, claims, OctKey.import_key(secret))


def claim_in(token: str) -> Claim | None:
    """Return what ``token`` claims; ``None`` when none of our keys signed it, it has expired, or it lasts too long.

    Signed, it still holds only while the account does: ``identity.accounts``.
    """
    if len(token) > MOST_CHARS:
        return None
    try:
        return _claim(token)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None


def _claim(token: str) -> Claim | None:
    read = jwt.decode(token, _key, algorithms=[ALGORITHM])
    jwt.JWTClaimsRegistry(sub={"essential": True}, exp={"essential": True}).validate(read.claims)
    until = int(read.claims["exp"])
    if _lasts_too_long(until, read.claims.get("iat"), now=time.time()):
        return None
    scope = read.claims.get("scope")
    if scope not in (None, READ):  # narrowed, we do not know to what
        return None
    proof = str(read.claims.get("fpr", ""))
    return Claim(account=str(read.claims["sub"]), proof=proof, until=until, reads_only=scope == READ)


def _lasts_too_long(until: int, since: Any, *, now: float) -> bool:
    """Return whether a token lasts longer than tokens may now, whatever was so when it was signed.

    One that does not say since when counts from now: leaving that out would be the way around.
    """
    began = now if since is None else min(float(since), now)
    return until - began > conf.current().token_days_at_most * DAY + 1  # a second of rounding


def _key(header: Any) -> OctKey:
    return OctKey.import_key(conf.current().token_keys[header.headers()["kid"]])
