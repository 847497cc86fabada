"""Users, their tokens, the audit chain and remembered requests: `access.db`.

Beside `sources.db` and for the same reason: a token has to be revocable while the door and the engine hold the others.
What a role may do is `runtime/roles.py`; how the chain is sealed `runtime/audit.py`. Passwords and sessions in the same
file: `store/sessions.py`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import Instant
from innkeeper.store import sqlite
from innkeeper.store.private import open_private

FILE: Final = "access.db"


class User(NamedTuple):
    """Somebody who may use the API."""

    name: str
    role: str
    created_at: Instant
    ended_at: Instant | None


class Token(NamedTuple):
    """A token, without the token itself; *scopes* narrow the role of its user, None: they do not."""

    hash: bytes
    name: str
    user: str
    scopes: tuple[str, ...] | None
    hint: str
    created_at: Instant
    until_at: Instant | None
    used_at: Instant | None


class Entry(NamedTuple):
    """One write as it stands in the chain."""

    seq: int
    at: Instant
    actor: str
    action: str
    noun: str
    about: str
    nonce: str
    sealed: str
    body: str
    status: int
    hash: str


class Remembered(NamedTuple):
    """A request that came before under the same key; *status* None: it is being worked on."""

    digest: str
    status: int | None
    answer: bytes | None


class Access:
    """The access file of one home; threads use it one at a time."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path, self._database, self._mutex = path, database, threading.RLock()

    @classmethod
    def open(cls, home: Path) -> Access:
        """The access file of a home; made where there is none yet, for its owner's eyes alone.

        Raises:
            OperationFailed: The store is damaged, newer, or not ours to use.
        """
        path = home / FILE
        return cls(path, open_private(path, "access"))

    def users(self) -> list[User]:
        """Every user, by name."""
        return [User(*row) for row in self.rows("SELECT name, role, created_at, ended_at FROM users ORDER BY name")]

    def user(self, name: str) -> User:
        """One user.

        Raises:
            UsageError: There is none of this name.
        """
        found = {each.name: each for each in self.users()}
        if name not in found:
            fix = did_you_mean(name, found) or f"make them: innkeeper user add {name} --role viewer"
            raise UsageError(f"there is no user '{name}'", code="unknown-user", fix=fix)
        return found[name]

    def add_user(self, user: User) -> None:
        """Write a new user.

        Raises:
            UsageError: There is one of this name.
        """
        with self.write() as database:
            if database.execute("SELECT 1 FROM users WHERE name = ?", (user.name,)).fetchone():
                fix = f"change what they may do: innkeeper user role {user.name} ROLE"
                raise UsageError(f"there is a user '{user.name}' already", code="user-exists", fix=fix)
            database.execute("INSERT INTO users (name, role, created_at, ended_at) VALUES (?, ?, ?, ?)", user)

    def set_user(self, name: str, *, role: str, ended_at: Instant | None) -> None:
        """Change what a user may do, and until when."""
        with self.write() as database:
            database.execute("UPDATE users SET role = ?, ended_at = ? WHERE name = ?", (role, ended_at, name))

    def tokens(self, user: str | None = None) -> list[Token]:
        """The tokens of a user or of all, oldest first."""
        rows = self.rows(
            "SELECT hash, name, user, scopes, hint, created_at, until_at, used_at FROM tokens"
            " WHERE ? IN (user, '') ORDER BY created_at, name",
            (user or "",),
        )
        return [_token(row) for row in rows]

    def token(self, hash: bytes) -> Token | None:
        """The token of a hash; None where there is none."""
        rows = self.rows(
            "SELECT hash, name, user, scopes, hint, created_at, until_at, used_at FROM tokens WHERE hash = ?", (hash,)
        )
        return _token(rows[0]) if rows else None

    def add_token(self, token: Token) -> None:
        """Write a new token.

        Raises:
            UsageError: There is one of this name.
        """
        with self.write() as database:
            if database.execute("SELECT 1 FROM tokens WHERE name = ?", (token.name,)).fetchone():
                raise UsageError(
                    f"there is a token '{token.name}' already", code="token-exists", fix="choose another --name"
                )
            database.execute(
                "INSERT INTO tokens (hash, name, user, scopes, hint, created_at, until_at, used_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*token[:3], None if token.scopes is None else dumps(list(token.scopes)), *token[4:]),
            )

    def end_token(self, name: str, at: Instant) -> bool:
        """End a token; whether one of this name was in force."""
        with self.write() as database:
            sql = "UPDATE tokens SET until_at = ?1 WHERE name = ?2 AND (until_at IS NULL OR until_at > ?1)"
            return bool(database.execute(sql, (at, name)).rowcount)

    def used(self, hash: bytes, at: Instant) -> None:
        """A token was used."""
        with self.write() as database:
            database.execute("UPDATE tokens SET used_at = ? WHERE hash = ?", (at, hash))

    def add_entry(self, seal: Callable[[int, str], Entry]) -> Entry:
        """Write the next entry of the audit chain: *seal* makes it of its number and the hash before it."""
        with self.write() as database:
            last = database.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone() or (0, "")
            entry = seal(last[0] + 1, last[1])
            database.execute(
                "INSERT INTO audit (seq, at, actor, action, noun, about, nonce, sealed, body, status, hash)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                entry,
            )
        return entry

    def entries(self, after: int = 0, limit: int = -1) -> list[Entry]:
        """Entries of the audit chain after a number, oldest first; all of them unless limited."""
        sql = (
            "SELECT seq, at, actor, action, noun, about, nonce, sealed, body, status, hash FROM audit"
            " WHERE seq > ? ORDER BY seq LIMIT ?"
        )
        return [Entry(*row) for row in self.rows(sql, (after, limit))]

    def begin_request(self, actor: str, key: str, digest: str, at: Instant, since: Instant) -> Remembered | None:
        """Remember a request as being worked on; or what is remembered of one under the same key since an instant."""
        with self.write() as database:
            database.execute("DELETE FROM requests WHERE at < ?", (since,))
            found = database.execute(
                "SELECT digest, status, answer FROM requests WHERE actor = ? AND key = ?", (actor, key)
            ).fetchone()
            if found is not None:
                return Remembered(*found)
            database.execute(
                "INSERT INTO requests (actor, key, digest, at) VALUES (?, ?, ?, ?)", (actor, key, digest, at)
            )
        return None

    def end_request(self, actor: str, key: str, answered: tuple[int, bytes] | None) -> None:
        """Remember what was answered; None: forget the request, so that it can be sent again."""
        with self.write() as database:
            if answered is None:
                database.execute("DELETE FROM requests WHERE actor = ? AND key = ?", (actor, key))
            else:
                database.execute(
                    "UPDATE requests SET status = ?, answer = ? WHERE actor = ? AND key = ?", (*answered, actor, key)
                )

    def forget_unfinished(self) -> None:
        """Forget the requests that a process which ended had begun: nobody works on them any more."""
        with self.write() as database:
            database.execute("DELETE FROM requests WHERE status IS NULL")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Access:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """What a query finds; `sessions.py` asks of the same file."""
        with self._mutex, sqlite.translated(self.path):
            return self._database.execute(sql, parameters).fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction; `sessions.py` writes the same file."""
        with self._mutex, sqlite.transaction(self._database, self.path) as database:
            yield database


def _token(row: Any) -> Token:
    found = Token(*row)
    return found._replace(scopes=None if row[3] is None else tuple(loads(row[3])))
