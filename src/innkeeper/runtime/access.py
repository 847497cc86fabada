"""Users and their API tokens: made, narrowed, ended; and who a token that came with a request belongs to.

A token is shown once, when it is made; what is kept is its hash (`store/access.py`). What roles may do: `roles.py`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.time import MINUTE, Clock, Duration, Instant, format_instant
from innkeeper.runtime.roles import PERMISSIONS, ROLES
from innkeeper.store.access import Access, Token, User

_BEGINNING: Final = "ink_"
_HINT: Final = 8
_LONGEST: Final = 256
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}\Z")
#: The command line beside a served workspace: who may read the home's files is its owner.
LOCAL: Final = "local"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a request, and what they may do; where they came with a session, its id and its token for pages."""

    name: str
    permissions: frozenset[str]
    session: str | None = None
    csrf: str | None = None


class Doorman:
    """Asks for tokens; what another process writes into `access.db` holds from the next request on."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self.access, self._clock = access, clock
        #: The token of the command line, for as long as this process lives.
        self.local_token = _BEGINNING + secrets.token_hex(20)
        self._local = _hash(self.local_token)

    def actor(self, token: str) -> Actor | None:
        """Whose token it is; None: it opens nothing."""
        if len(token) > _LONGEST:
            return None
        hashed, now = _hash(token), self._clock.now()
        # Looked up by its hash: how long that takes tells nothing about a token.
        if secrets.compare_digest(hashed, self._local):
            return Actor(LOCAL, ROLES["owner"])
        found = self.access.token(hashed)
        if found is None or not holds(found.until_at, now):
            return None
        user = self.access.user(found.user)
        if not holds(user.ended_at, now):
            return None
        if found.used_at is None or now - found.used_at > MINUTE:
            self.access.used(hashed, now)
        allowed = ROLES.get(user.role, frozenset())
        return Actor(user.name, allowed if found.scopes is None else allowed & frozenset(found.scopes))


def actor_named(access: Access, name: str, clock: Clock) -> Actor:
    """A user, as what their role may do now.

    Raises:
        UsageError: There is no such user, or they were ended.
    """
    user = access.user(name)
    if not holds(user.ended_at, clock.now()):
        raise UsageError(f"the user '{name}' was ended", code="bad-user", fix="see: innkeeper user list")
    return Actor(user.name, ROLES.get(user.role, frozenset()))


def add_user(access: Access, name: str, role: str, clock: Clock) -> dict[str, Any]:
    """A new user.

    Raises:
        UsageError: The name cannot be one, is taken, or there is no such role.
    """
    if not _NAME.match(name) or name == LOCAL:
        fix = "letters, digits and . _ @ + - : ana@example.com"
        raise UsageError(f"{name!r} cannot name a user", code="bad-user", fix=fix)
    user = User(name, _role(role), clock.now(), None)
    access.add_user(user)
    return user_told(user, clock.now())


def set_role(access: Access, name: str, role: str, clock: Clock) -> dict[str, Any]:
    """Give a user another role; their tokens follow at once, their sessions end.

    Raises:
        UsageError: There is no such user or role.
    """
    user = access.user(name)
    access.set_user(name, role=_role(role), ended_at=user.ended_at)
    return user_told(access.user(name), clock.now())


def end_user(access: Access, name: str, clock: Clock) -> dict[str, Any]:
    """From now on a user may do nothing, with none of their tokens and sessions.

    Raises:
        UsageError: There is no such user.
    """
    user = access.user(name)
    access.set_user(name, role=user.role, ended_at=clock.now())
    return user_told(access.user(name), clock.now())


def add_token(
    access: Access, user: str, name: str, clock: Clock, *, scopes: Sequence[str] = (), lasts: Duration | None = None
) -> dict[str, Any]:
    """A new token of a user: the only time that it can be read.

    Raises:
        UsageError: There is no such user, the name is taken, or a scope is not in the user's role.
    """
    role = access.user(user).role
    for scope in scopes:
        if scope not in ROLES[role]:
            known = scope in PERMISSIONS
            why = f"the role '{role}' has no '{scope}'" if known else f"there is no permission '{scope}'"
            fix = did_you_mean(scope, ROLES[role]) or f"of this role: {', '.join(sorted(ROLES[role]))}"
            raise UsageError(why, code="bad-scope", fix=fix)
    if not _NAME.match(name):
        raise UsageError(f"{name!r} cannot name a token", code="bad-token", fix="letters, digits and . _ @ + -")
    now, token = clock.now(), _BEGINNING + secrets.token_hex(20)
    until = None if lasts is None else now + lasts
    made = Token(_hash(token), name, user, tuple(scopes) or None, token[:_HINT], now, until, None)
    access.add_token(made)
    return token_told(made, now) | {"token": token}


def end_token(access: Access, name: str, clock: Clock) -> dict[str, Any]:
    """End a token at once.

    Raises:
        UsageError: There is no such token in force.
    """
    if not access.end_token(name, clock.now()):
        names = [each.name for each in access.tokens() if holds(each.until_at, clock.now())]
        fix = did_you_mean(name, names) or "see: innkeeper token list"
        raise UsageError(f"no token '{name}' is in force", code="unknown-token", fix=fix)
    return {"token": name, "in_force": False}


def user_told(user: User, now: Instant) -> dict[str, Any]:
    """The JSON form of a user."""
    return {
        "user": user.name, "role": user.role, "created_at": format_instant(user.created_at),
        "active": holds(user.ended_at, now), "permissions": sorted(ROLES.get(user.role, ())),
    }  # fmt: skip


def token_told(token: Token, now: Instant) -> dict[str, Any]:
    """The JSON form of a token, without the token."""
    return {
        "name": token.name, "user": token.user, "hint": f"{token.hint}…",
        "scopes": None if token.scopes is None else list(token.scopes), "created_at": format_instant(token.created_at),
        "until": None if token.until_at is None else format_instant(token.until_at),
        "used_at": None if token.used_at is None else format_instant(token.used_at),
        "in_force": holds(token.until_at, now),
    }  # fmt: skip


def _role(role: str) -> str:
    if role not in ROLES:
        fix = did_you_mean(role, ROLES) or f"known: {', '.join(ROLES)}"
        raise UsageError(f"there is no role '{role}'", code="unknown-role", fix=fix)
    return role


def holds(until: Instant | None, now: Instant) -> bool:
    """Whether something that may have an end is in force."""
    return until is None or now < until


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
