"""Passwords, sessions and tries to log in, in `access.db` beside the users that they belong to.

A change of role, end or password deletes a user's sessions by triggers of the file itself (`access_0002.sql`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from innkeeper.kernel.time import Duration, Instant
from innkeeper.store.access import Access


class Session(NamedTuple):
    """A browser that somebody logged in with; *hash* is that of what its cookie holds."""

    hash: bytes
    id: str
    user: str
    began_at: Instant
    seen_at: Instant
    agent: str


class Sessions:
    """What `access.db` knows of them."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def password(self, user: str) -> str | None:
        """The hash of a user's password; None: they have none, or there is no such user."""
        rows = self._access.rows("SELECT hash FROM passwords WHERE user = ?", (user,))
        return None if not rows else str(rows[0][0])

    def set_password(self, user: str, hash: str, at: Instant) -> None:
        """Give a user a password; their sessions end."""
        sql = (
            "INSERT INTO passwords (user, hash, set_at) VALUES (?, ?, ?)"
            " ON CONFLICT (user) DO UPDATE SET hash = excluded.hash, set_at = excluded.set_at"
        )
        with self._access.write() as database:
            database.execute(sql, (user, hash, at))

    def change_password(self, user: str, before: str, hash: str, at: Instant) -> bool:
        """Replace a user's password, unless another was set meanwhile; their sessions end."""
        sql = "UPDATE passwords SET hash = ?, set_at = ? WHERE user = ? AND hash = ?"
        with self._access.write() as database:
            return bool(database.execute(sql, (hash, at, user, before)).rowcount)

    def rehash(self, user: str, before: str, hash: str) -> None:
        """Replace the hash of the same password, unless another was set meanwhile."""
        with self._access.write() as database:
            database.execute("UPDATE passwords SET hash = ? WHERE user = ? AND hash = ?", (hash, user, before))

    def add(self, session: Session, password: str) -> bool:
        """Write a new session; False, and none, where the password that was checked or its user is no longer in force.

        One statement asks and writes: what ends all sessions cannot come between.
        """
        sql = (
            "INSERT INTO sessions (hash, id, user, began_at, seen_at, agent)"
            " SELECT ?, ?, users.name, ?, ?, ? FROM users JOIN passwords ON passwords.user = users.name"
            " WHERE users.name = ? AND passwords.hash = ? AND (users.ended_at IS NULL OR users.ended_at > ?)"
        )
        hash, id, user, began_at, seen_at, agent = session
        with self._access.write() as database:
            written = database.execute(sql, (hash, id, began_at, seen_at, agent, user, password, began_at))
            return bool(written.rowcount)

    def find(self, hash: bytes) -> Session | None:
        """The session of a hash; None where there is none."""
        rows = self._access.rows(
            "SELECT hash, id, user, began_at, seen_at, agent FROM sessions WHERE hash = ?", (hash,)
        )
        return Session(*rows[0]) if rows else None

    def of(self, user: str) -> list[Session]:
        """A user's sessions, oldest first."""
        sql = "SELECT hash, id, user, began_at, seen_at, agent FROM sessions WHERE user = ? ORDER BY began_at, id"
        return [Session(*row) for row in self._access.rows(sql, (user,))]

    def seen(self, hash: bytes, at: Instant) -> None:
        """A session was used."""
        with self._access.write() as database:
            database.execute("UPDATE sessions SET seen_at = ? WHERE hash = ?", (at, hash))

    def end(self, user: str, id: str) -> bool:
        """End a user's session; whether they had one of this id."""
        with self._access.write() as database:
            return bool(database.execute("DELETE FROM sessions WHERE user = ? AND id = ?", (user, id)).rowcount)

    def end_stale(self, began_by: Instant, seen_by: Instant) -> None:
        """Forget the sessions that began, or were last used, at an instant or before."""
        with self._access.write() as database:
            database.execute("DELETE FROM sessions WHERE began_at <= ? OR seen_at <= ?", (began_by, seen_by))

    def begin_try(self, who: Sequence[bytes], at: Instant, *, most: int, within: Duration) -> Instant | None:
        """Count a try for each of *who*; or where one of them has had *most* within the time, when there is room."""
        with self._access.write() as database:
            database.execute("DELETE FROM tries WHERE at <= ?", (at - within,))
            sql = "SELECT at FROM tries WHERE who = ? ORDER BY at DESC LIMIT 1 OFFSET ?"
            full: list[Instant] = [row[0] for each in who for row in database.execute(sql, (each, most - 1))]
            if full:
                return max(full) + within
            database.executemany("INSERT INTO tries (who, at) VALUES (?, ?)", [(each, at) for each in who])
        return None

    def forget_tries(self, who: bytes) -> None:
        """Count from zero again."""
        with self._access.write() as database:
            database.execute("DELETE FROM tries WHERE who = ?", (who,))
