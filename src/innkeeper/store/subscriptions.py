"""Who is told of what happens, and what waits to be told: `subscriptions.db`.

A file of its own, because the engine and the door have theirs to themselves (docs/adr/0039-told-at-least-once.md). The
relay (`runtime/relay.py`) and the command line (`runtime/subscriptions.py`) write it, in short transactions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import Instant
from innkeeper.store import sqlite
from innkeeper.store.private import open_private

FILE: Final = "subscriptions.db"
MOST: Final = 100
#: How many events of one subscription wait here; the others wait in the log.
MOST_WAITING: Final = 20_000

Standing = Literal["active", "paused", "ended"]

_COLUMNS: Final = (
    "id, name, url, selection, private, created_at, state, reason, cursor, delivered, delivered_at, failures, "
    "failing_since, not_before, error"
)
_ADD: Final = "INSERT OR IGNORE INTO queue (subscription, seq, subject, not_before) VALUES (?, ?, ?, ?)"
# Of one subject the first alone: what comes later is not told before it.
_DUE: Final = """
SELECT seq, attempts, first_at, error, given_up_at FROM queue AS one
WHERE subscription = ?1 AND given_up_at IS NULL AND not_before <= ?2 AND NOT EXISTS (
    SELECT 1 FROM queue AS earlier WHERE earlier.subscription = ?1 AND earlier.subject = one.subject
    AND earlier.seq < one.seq AND earlier.given_up_at IS NULL
) ORDER BY not_before, seq LIMIT ?3
"""


class Subscription(NamedTuple):
    """One subscription as it is kept; what the columns mean is in `subscriptions_0001.sql`."""

    id: int
    name: str
    url: str
    selection: dict[str, Any]
    private: bool
    created_at: Instant
    state: Standing
    reason: str
    cursor: int
    delivered: int
    delivered_at: Instant | None
    failures: int
    failing_since: Instant | None
    not_before: Instant
    error: str


class Waiting(NamedTuple):
    """An event that is still to be told, or that was given up."""

    seq: int
    attempts: int
    first_at: Instant | None
    error: str
    given_up_at: Instant | None


class Told(NamedTuple):
    """That an event was told, or that it is gone from the log (*counted*: no)."""

    subscription: int
    seq: int
    counted: bool = True


class Failed(NamedTuple):
    """That it was not: tried again at *not_before*, or given up."""

    subscription: int
    seq: int
    error: str
    not_before: Instant
    given_up: bool


class Rest(NamedTuple):
    """What is to become of a subscription whose receiver fails: left alone until *not_before*, paused, or ended."""

    subscription: int
    error: str
    not_before: Instant
    state: Standing = "active"
    reason: str = ""


Result = Told | Failed | Rest


class Subscriptions:
    """The subscriptions of one home."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path, self._database = path, database

    @classmethod
    def open(cls, home: Path) -> Subscriptions:
        """The subscriptions of a home; the file is made where there is none yet, for its owner's eyes alone.

        Raises:
            OperationFailed: The store is damaged, newer, or not ours to use.
        """
        path = home / FILE
        return cls(path, open_private(path, "subscriptions"))

    def all(self) -> list[Subscription]:
        """Every subscription, by name."""
        with sqlite.translated(self.path):
            rows = self._database.execute(f"SELECT {_COLUMNS} FROM subscriptions ORDER BY name").fetchall()  # noqa: S608
        return [Subscription._make((*row[:3], loads(row[3]), bool(row[4]), *row[5:])) for row in rows]

    def get(self, name: str) -> Subscription:
        """One subscription.

        Raises:
            UsageError: There is none of this name.
        """
        found = {each.name: each for each in self.all()}
        if name not in found:
            raise UsageError(
                f"there is no subscription '{name}'", code="unknown-subscription",
                fix=did_you_mean(name, found) or f"make it: innkeeper subscription create {name} --url URL",
            )  # fmt: skip
        return found[name]

    def create(
        self, name: str, url: str, selection: dict[str, Any], *, private: bool, at: Instant, cursor: int, secret: str
    ) -> None:
        """Write a new subscription.

        Raises:
            UsageError: There is one of this name, or there are as many as may be.
        """
        with sqlite.transaction(self._database, self.path) as database:
            names = {each for (each,) in database.execute("SELECT name FROM subscriptions")}
            if name in names:
                raise UsageError(
                    f"there is a subscription '{name}' already", code="subscription-exists",
                    fix=f"remove it first (innkeeper subscription remove {name}), or choose another name",
                )  # fmt: skip
            if len(names) >= MOST:
                raise UsageError(f"there are {MOST} subscriptions, more are not kept", code="too-many-subscriptions")
            made = database.execute(
                "INSERT INTO subscriptions (name, url, selection, private, created_at, cursor)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (name, url, dumps(selection), private, at, cursor),
            )
            self._add_secret(made.lastrowid or 0, secret, at)

    def remove(self, name: str) -> None:
        """Forget a subscription and what waits for it."""
        with sqlite.transaction(self._database, self.path) as database:
            database.execute("DELETE FROM subscriptions WHERE name = ?", (name,))

    def set_state(self, name: str, state: Standing, reason: str) -> None:
        """Pause it or let it go on; what went wrong before is forgotten, and what waits is due."""
        with sqlite.transaction(self._database, self.path) as database:
            database.execute(
                "UPDATE subscriptions SET state = ?, reason = ?, failures = 0, failing_since = NULL, not_before = 0,"
                " error = '' WHERE name = ?",
                (state, reason, name),
            )
            database.execute(
                "UPDATE queue SET not_before = 0, first_at = NULL WHERE given_up_at IS NULL AND subscription ="
                " (SELECT id FROM subscriptions WHERE name = ?)",
                (name,),
            )

    def rotate(self, name: str, secret: str, at: Instant, ends_at: Instant) -> None:
        """Sign with a new secret; those there are go on beside it until *ends_at* at the latest."""
        with sqlite.transaction(self._database, self.path) as database:
            (id_,) = database.execute("SELECT id FROM subscriptions WHERE name = ?", (name,)).fetchone()
            database.execute(
                "UPDATE secrets SET until_at = min(coalesce(until_at, ?1), ?1) WHERE subscription = ?2", (ends_at, id_)
            )
            database.execute("DELETE FROM secrets WHERE subscription = ? AND until_at <= ?", (id_, at))
            self._add_secret(id_, secret, at)

    def secrets(self, subscription: int, at: Instant) -> list[str]:
        """What to sign with, the newest first."""
        sql = (
            "SELECT secret FROM secrets WHERE subscription = ? AND (until_at IS NULL OR until_at > ?)"
            " ORDER BY created_at DESC, rowid DESC"
        )
        with sqlite.translated(self.path):
            return [secret for (secret,) in self._database.execute(sql, (subscription, at))]

    def _add_secret(self, subscription: int, secret: str, at: Instant) -> None:
        sql = "INSERT INTO secrets (subscription, secret, created_at) VALUES (?, ?, ?)"
        self._database.execute(sql, (subscription, secret, at))

    # What waits

    def look(
        self, at: int, upto: int, found: Iterable[tuple[int, int, bytes]], now: Instant, who: Iterable[int]
    ) -> None:
        """Queue (subscription, seq, subject) of what was found in the log, and move the cursors of *who* on.

        One that was moved meanwhile stays where it is, and what was found for it is left out.
        """
        with sqlite.transaction(self._database, self.path) as database:
            sql = "UPDATE subscriptions SET cursor = ? WHERE id = ? AND cursor = ?"
            moved = {each for each in who if database.execute(sql, (upto, each, at)).rowcount}
            database.executemany(_ADD, ((id_, seq, subject, now) for id_, seq, subject in found if id_ in moved))

    def go_back(self, name: str, cursor: int) -> None:
        """Look at the log again from behind a place; what waits already is not doubled, what was given up is tried."""
        with sqlite.transaction(self._database, self.path) as database:
            database.execute("UPDATE subscriptions SET cursor = min(cursor, ?) WHERE name = ?", (cursor, name))
        self.retry(name, cursor)

    def retry(self, name: str, after: int = 0) -> int:
        """Try again what was given up behind a place; how many that are."""
        with sqlite.transaction(self._database, self.path) as database:
            return int(
                database.execute(
                    "UPDATE queue SET given_up_at = NULL, first_at = NULL, not_before = 0, attempts = 0"
                    " WHERE given_up_at IS NOT NULL AND seq > ? AND subscription ="
                    " (SELECT id FROM subscriptions WHERE name = ?)",
                    (after, name),
                ).rowcount
            )

    def due(self, subscription: int, now: Instant, limit: int) -> list[Waiting]:
        """What may be told now: of each subject the first, what has waited longest before the others."""
        with sqlite.translated(self.path):
            return [Waiting(*row) for row in self._database.execute(_DUE, (subscription, now, limit))]

    def waiting(self, subscription: int) -> int:
        """How many events wait here."""
        sql = "SELECT count(*) FROM queue WHERE subscription = ? AND given_up_at IS NULL"
        with sqlite.translated(self.path):
            return int(self._database.execute(sql, (subscription,)).fetchone()[0])

    def given_up(self, subscription: int) -> int:
        """How many were given up."""
        sql = "SELECT count(*) FROM queue WHERE subscription = ? AND given_up_at IS NOT NULL"
        with sqlite.translated(self.path):
            return int(self._database.execute(sql, (subscription,)).fetchone()[0])

    def failures(self, subscription: int, limit: int) -> list[Waiting]:
        """What was not told at the first attempt, the newest first."""
        sql = (
            "SELECT seq, attempts, first_at, error, given_up_at FROM queue WHERE subscription = ? AND attempts > 0"
            " ORDER BY seq DESC LIMIT ?"
        )
        with sqlite.translated(self.path):
            return [Waiting(*row) for row in self._database.execute(sql, (subscription, limit))]

    def settle(self, results: Sequence[Result], now: Instant) -> None:
        """Write down what became of some events, in one transaction."""
        with sqlite.transaction(self._database, self.path):
            for result in results:
                match result:
                    case Told():
                        self._settle_told(result, now)
                    case Failed():
                        self._settle_failed(result, now)
                    case Rest():
                        self._settle_rest(result, now)

    def _settle_told(self, told: Told, now: Instant) -> None:
        self._database.execute("DELETE FROM queue WHERE subscription = ? AND seq = ?", told[:2])
        if not told.counted:
            return
        self._database.execute(
            "UPDATE subscriptions SET delivered = delivered + 1, delivered_at = ?, failures = 0, failing_since = NULL,"
            " not_before = 0, error = '' WHERE id = ?",
            (now, told.subscription),
        )

    def _settle_failed(self, failed: Failed, now: Instant) -> None:
        self._database.execute(
            "UPDATE queue SET attempts = attempts + 1, first_at = coalesce(first_at, ?), error = ?, not_before = ?,"
            " given_up_at = ? WHERE subscription = ? AND seq = ?",
            (now, failed.error, failed.not_before, now if failed.given_up else None, *failed[:2]),
        )

    def _settle_rest(self, rest: Rest, now: Instant) -> None:
        self._database.execute(
            "UPDATE subscriptions SET failures = failures + 1, failing_since = coalesce(failing_since, ?), error = ?,"
            " not_before = ? WHERE id = ?",
            (now, rest.error, rest.not_before, rest.subscription),
        )
        if rest.state != "active":
            self._database.execute(
                "UPDATE subscriptions SET state = ?, reason = ? WHERE id = ? AND state = 'active'",
                (rest.state, rest.reason, rest.subscription),
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Subscriptions:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def exist(home: Path) -> bool:
    """Whether a home has ever had a subscription."""
    return (home / FILE).exists()
