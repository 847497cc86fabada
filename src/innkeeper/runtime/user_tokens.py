"""Tokens by which the house says who is using its page: JSON Web Tokens, signed by the house's own login.

`aud` is the source, `sub` the user id, `exp` when it ends; all three must be there. RS256 needs the house's public key,
HS256 a secret that stands in the environment of `innkeeper up`, never in a file of ours.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from innkeeper.events.limits import Refusal
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import SECOND, Instant

_LONGEST: Final = 8_192
_SHORTEST_SECRET: Final = 32


@dataclass(frozen=True, slots=True)
class Signing:
    """How a source's tokens are signed: with which algorithm, and the public key, or the variable with the secret."""

    algorithm: str
    key: str

    def kept(self) -> dict[str, str]:
        """As it is stored."""
        return {"alg": self.algorithm, "key": self.key}


def read_signing(kept: dict[str, str]) -> Signing:
    """What `Signing.kept` made."""
    return Signing(kept["alg"], kept["key"])


def by_public_key(pem: str) -> Signing:
    """RS256 with a public key in PEM.

    Raises:
        UsageError: It is not a public RSA key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise UsageError(
            "the file holds no public RSA key of at least 2,048 bits in PEM",
            code="bad-public-key",
            fix="make one: openssl rsa -in private.pem -pubout -out public.pem",
        )
    return Signing("RS256", pem)


def by_secret(variable: str) -> Signing:
    """HS256 with the secret of an environment variable, which `up` reads.

    Raises:
        UsageError: It cannot be the name of one.
    """
    if not variable.isidentifier() or not variable.isascii():
        raise UsageError(
            f"{variable!r} is not the name of an environment variable",
            code="bad-variable",
            fix="name the variable that holds the secret: --hs256-env SHOP_TOKEN_SECRET",
        )
    return Signing("HS256", variable)


def user_of(token: str, signing: Signing, source: str, now: Instant) -> str | Refusal:
    """The user id that a token vouches for, or why it vouches for nobody."""
    claims = _claims(token, signing, source)
    if isinstance(claims, Refusal):
        return claims
    ends, begins = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(ends, int | float) or not isinstance(begins, int | float):
        return _refused("its 'exp' and 'nbf' must be numbers")
    if now >= ends * SECOND:
        return _refused("it has ended; ask for a new one")
    if now < begins * SECOND:
        return _refused("it does not hold yet")
    return str(claims["sub"]) if claims["sub"] else _refused("its 'sub' is empty")


@lru_cache(maxsize=512)
def _claims(token: str, signing: Signing, source: str) -> dict[str, Any] | Refusal:
    """What a token says, its signature checked; its times are not."""
    import jwt

    if len(token) > _LONGEST:
        return _refused(f"it has {len(token):,} characters; at most {_LONGEST:,} are taken")
    key = signing.key if signing.algorithm == "RS256" else os.environ.get(signing.key, "")
    if len(key) < _SHORTEST_SECRET:
        return Refusal(
            "no-token-secret",
            f"the environment of innkeeper has no secret of at least {_SHORTEST_SECRET} characters in {signing.key}",
            f"set {signing.key} and start innkeeper up again",
        )
    options: Any = {"require": ["aud", "exp", "sub"], "verify_exp": False, "verify_nbf": False, "verify_iat": False}
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=[signing.algorithm], audience=source, options=options
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        return _refused(_WHY.get(type(error).__name__, "it is not a token that this source's key has signed"))
    return claims


_WHY: Final = {
    "InvalidAudienceError": "its 'aud' is not this source",
    "MissingRequiredClaimError": "it needs 'aud', 'exp' and 'sub'",
}


def _refused(why: str) -> Refusal:
    return Refusal("bad-user-token", f"the user token is not taken: {why}", "sign one with aud (the source), exp, sub")
