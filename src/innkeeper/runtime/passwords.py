"""Passwords: which are taken, and what is kept of them.

Kept is scrypt (RFC 7914) of the password and 16 random bytes, with its parameters: `scrypt$n$r$p$salt$key`, in hex.
scrypt is in the standard library, and guessing costs memory as well as time, which is what graphics cards lack.
n = 2^16, r = 8, p = 2 take 64 MiB and about 0.4 seconds of one core; they are one of the settings of equal strength
that the OWASP Password Storage Cheat Sheet lists. When they rise, a password is hashed anew at its next login.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from typing import Final, NamedTuple

from innkeeper.kernel.errors import UsageError

SHORTEST: Final = 12
LONGEST: Final = 1_024
_FEWEST_DIFFERENT: Final = 5
_SALT_BYTES: Final = 16
_KEY_BYTES: Final = 32
_FORM: Final = "scrypt"


class Cost(NamedTuple):
    """scrypt's parameters: it takes 128·n·r bytes, p times over."""

    n: int
    r: int
    p: int


COST: Final = Cost(2**16, 8, 2)


def check(password: str, user: str) -> None:
    """Refuse what is guessed too soon.

    Raises:
        UsageError: It is too short, too long, the user's own name, or the same few characters again and again.
    """
    why = ""
    if not SHORTEST <= len(password) <= LONGEST:
        why = f"it has {len(password):,} characters; {SHORTEST} to {LONGEST:,} are taken"
    elif len(set(password)) < _FEWEST_DIFFERENT:
        why = f"it has fewer than {_FEWEST_DIFFERENT} different characters"
    elif password.casefold() == user.casefold():
        why = "it is the name of its user"
    if why:
        raise UsageError(
            f"this password is not taken: {why}", code="weak-password", fix="four words that do not belong together"
        )


def hashed(password: str) -> str:
    """What is kept of a password: another text each time."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return "$".join([_FORM, *map(str, COST), salt.hex(), _key(password, salt, COST).hex()])


def matches(password: str, kept: str | None) -> bool:
    """Whether it is the password that *kept* was made of; None takes as long, and is never."""
    if kept is None:
        _key(password, bytes(_SALT_BYTES), COST)
        return False
    cost, salt, key = _parts(kept)
    return secrets.compare_digest(_key(password, salt, cost), key)


def is_outdated(kept: str) -> bool:
    """Whether it was made with other parameters than those of today."""
    return _parts(kept)[0] != COST


def _parts(kept: str) -> tuple[Cost, bytes, bytes]:
    _, n, r, p, salt, key = kept.split("$")
    return Cost(int(n), int(r), int(p)), bytes.fromhex(salt), bytes.fromhex(key)


def _key(password: str, salt: bytes, cost: Cost) -> bytes:
    # Keyboards write the same letter in different ways (é as one character, or as e and an accent).
    data = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
    room = 128 * cost.r * (cost.n + cost.p + 2) + 1024 * 1024
    return hashlib.scrypt(data, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=room, dklen=_KEY_BYTES)
