"""Sessions: a person logs in with a password, and a browser's cookie stands for them until it ends.

What the cookie holds is random and new at every login; kept is its hash (`store/sessions.py`). A session ends 12 hours
after it was last used (told to the minute), 14 days after it began, and at once when its user ends or gets another
role or password. Tries to log in are counted before the password is looked at, and kept over a restart.
What of a request must be our own page's: `web/browser.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import DAY, HOUR, MINUTE, Clock, Duration, Instant, format_instant
from innkeeper.runtime import audit, passwords
from innkeeper.runtime.access import Actor, holds
from innkeeper.runtime.roles import ROLES
from innkeeper.store import sessions as store
from innkeeper.store.access import Access

IDLE: Final[Duration] = 12 * HOUR
LONGEST: Final[Duration] = 14 * DAY
MOST_TRIES: Final = 10
TRIES_WITHIN: Final[Duration] = 15 * MINUTE
_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 8
_LONGEST_SECRET: Final = 128
_LONGEST_AGENT: Final = 200
#: Who the audit names where a try named nobody that there is.
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that began: what its cookie holds, and who it is."""

    secret: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class Refused:
    """A login that failed; *until*: too many were tried, there is room again from then on."""

    until: Instant | None = None


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a request comes from: its address, and what the browser calls itself."""

    address: str
    agent: str


class Sessions:
    """Logs people in and out."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access, self._clock, self._store = access, clock, store.Sessions(access)

    def actor(self, secret: str) -> Actor | None:
        """Whose session it is; None: nobody's, or it has ended."""
        if len(secret) > _LONGEST_SECRET:
            return None
        now = self._clock.now()
        found = self._store.find(_hash(secret))
        if found is None or now >= min(found.began_at + LONGEST, found.seen_at + IDLE):
            return None
        user = self._access.user(found.user)
        if not holds(user.ended_at, now):
            return None
        if now - found.seen_at > MINUTE:
            self._store.seen(found.hash, now)
        return Actor(user.name, ROLES.get(user.role, frozenset()), found.id, csrf_token(secret))

    def log_in(self, user: str, password: str, browser: Browser) -> Begun | Refused:
        """Begin a session, unless the name and the password do not belong together or too many were tried."""
        kept = self._try(user, password, browser)
        if isinstance(kept, Refused):
            return kept
        begun = None if kept is None else self._begin(user, kept, browser)
        self._note("login", user, browser, 401 if begun is None else 200)
        return begun or Refused()

    def change_password(self, actor: Actor, current: str, password: str, browser: Browser) -> Begun | Refused:
        """Give somebody who is logged in the password that they chose: all their sessions end, and a new one begins.

        Raises:
            UsageError: The new password is too weak.
        """
        passwords.check(password, actor.name)
        kept = self._try(actor.name, current, browser)
        if kept is None or isinstance(kept, Refused):
            return kept or Refused()
        made = passwords.hashed(password)
        changed = self._store.change_password(actor.name, kept, made, self._clock.now())
        return (self._begin(actor.name, made, browser) if changed else None) or Refused()

    def end(self, user: str, id: str | None) -> None:
        """End a session of a user.

        Raises:
            UsageError: They have none of this id.
        """
        if id is None or not self._store.end(user, id):
            raise UsageError(
                f"{user} has no session {id!r}" if id else "the request came with a token, not with a session",
                code="unknown-session", fix="see: GET /api/v1/sessions",
            )  # fmt: skip

    def listing(self, actor: Actor) -> list[dict[str, Any]]:
        """The sessions of somebody that go on, oldest first."""
        now = self._clock.now()
        going = [one for one in self._store.of(actor.name) if now < min(one.began_at + LONGEST, one.seen_at + IDLE)]
        return [_told(one) | {"current": one.id == actor.session} for one in going]

    def _try(self, user: str, password: str, browser: Browser) -> str | Refused | None:
        """What is kept of the password, where it is this user's; None where it is not."""
        who = [_account(user), _who("address", _network(browser.address))]
        until = self._store.begin_try(who, self._clock.now(), most=MOST_TRIES, within=TRIES_WITHIN)
        if until is not None:
            return Refused(until)
        kept = self._store.password(user)
        if not passwords.matches(password, kept) or kept is None:
            return None
        if passwords.is_outdated(kept):
            before, kept = kept, passwords.hashed(password)
            self._store.rehash(user, before, kept)
        return kept

    def _begin(self, user: str, kept: str, browser: Browser) -> Begun | None:
        now, secret = self._clock.now(), secrets.token_urlsafe(_SECRET_BYTES)
        self._store.end_stale(now - LONGEST, now - IDLE)
        id = secrets.token_hex(_ID_BYTES)
        session = store.Session(_hash(secret), id, user, now, now, browser.agent[:_LONGEST_AGENT])
        actor = self.actor(secret) if self._store.add(session, kept) else None
        return None if actor is None else Begun(secret, actor)

    def _note(self, action: str, user: str, browser: Browser, status: int) -> None:
        # The body holds the password: not even a digest of it is kept. A name that is nobody's may be a password that
        # was typed into the wrong field.
        known = any(each.name == user for each in self._access.users())
        audit.record(
            self._access, at=self._clock.now(), actor=user if known else _UNKNOWN, action=action, noun="session",
            about=browser.address, body=b"", status=status,
        )  # fmt: skip


def set_password(access: Access, name: str, password: str, clock: Clock) -> dict[str, Any]:
    """Give a user a password, as the owner of the home; their sessions end, and their tries count from zero.

    Raises:
        UsageError: There is no such user, they have ended, or the password is too weak.
    """
    user, now = access.user(name), clock.now()
    if not holds(user.ended_at, now):
        raise UsageError(f"the user '{name}' has ended", code="user-ended", fix="make another: innkeeper user add")
    passwords.check(password, name)
    kept = store.Sessions(access)
    ended = len(kept.of(name))
    kept.set_password(name, passwords.hashed(password), now)
    kept.forget_tries(_account(name))
    return {"user": name, "sessions_ended": ended}


def csrf_token(secret: str) -> str:
    """What our own pages repeat in a header: made of what the cookie holds, which no page can read."""
    return hmac.new(secret.encode(), b"innkeeper csrf", hashlib.sha256).hexdigest()


def _told(one: store.Session) -> dict[str, Any]:
    ends = min(one.began_at + LONGEST, one.seen_at + IDLE)
    return {
        "id": one.id, "began_at": format_instant(one.began_at), "seen_at": format_instant(one.seen_at),
        "ends_at": format_instant(ends), "agent": one.agent,
    }  # fmt: skip


def _account(user: str) -> bytes:
    return _who("account", user)


def _who(kind: str, name: str) -> bytes:
    return _hash(f"{kind}\0{name}")


def _network(address: str) -> str:
    """What of an address is one sender's: all of it, of IPv6 the first 64 bits, which one connection has to itself."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or f"{int(found) >> 64:x}/64")


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
