"""The state of a workspace: `state.db`, written by the engine alone, read by anyone.

Here: opening, the cursor, profiles' rows, the order of inputs, the outbox. Who is who is `identity.py`; what outputs
write besides (ledger, decisions, tasks, consents) is `projections.py`; the ledger's life after planning is `ledger.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant
from innkeeper.store import sqlite

_PAGE = 500
#: The stage of a row that is no profile yet: somebody who has only been told of things.
NOBODY = ""
#: The mode of `taken` under which a revision has its place.
REVISION = "revision"
#: The outcome of one that could not be done.
REFUSED = "refused"
#: An open database, for those who may not import its driver.
Connection = sqlite3.Connection


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far the engine has come.

    Taken are: every event with `seq <= seq` whose (timestamp, source, message_id) is at or before the key here, and
    those that `taken` lists after `position` (a tick that was cut off between two commits).

    Attributes:
        clock: The workspace's clock; never goes back.
        seq: Last log sequence number that was looked at.
        timestamp, source, message_id: Key of the last event in the order of the record.
        position: Last position of `taken` that a whole tick has written.
    """

    clock: Instant
    seq: int = 0
    timestamp: Instant
    source: str = ""
    message_id: str = ""
    position: int = 0


class OutboxRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One output or receipt on its way into the log, in the order of the log."""

    taken_at: Instant
    subject: str
    input: int
    idx: int
    message_id: str
    name: str
    user_id: str | None
    anonymous_id: str | None
    properties: str
    traits: str


#: What tells outbox rows apart, and their order: taken_at, subject, input, index.
OutboxPlace = tuple[Instant, str, int, int]


class TakenRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One input in the order in which it was taken."""

    position: int
    mode: str
    seq: int
    taken_at: Instant
    delivery: str | None = None
    outcome: str | None = None
    reason: str | None = None
    subject: str | None = None


#: 40 MiB. A tick changes thousands of pages all over the file; SQLite's 1,000 would move them there after every commit.
_WAL_PAGES: Final = 10_000


class SubjectRow(NamedTuple):
    """What the store keeps of a profile; lane 0: its next timer is a service one, 1: any other."""

    subject: str
    next_due_at: Instant
    stage: str | None
    body: bytes
    lane: int = 1


class Receipt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The fate of a delivery that the fold has not heard of yet.

    `held`: it waits for a person's answer, and *reason* is what the claim saw of the home (JSON). *planned_at* of one
    that was let go is the instant of the answer.
    """

    delivery: str
    subject: str
    identifier: str
    message: str
    channel: str
    purpose: str
    journey: str
    key: str | None
    state: str
    reason: str
    planned_at: Instant
    state_at: Instant


class State:
    """An open `state.db`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self._numbered: bool | None = None
        self._revised: bool | None = None

    @classmethod
    def open(cls, home: Path, *, create: bool = False, readonly: bool = False) -> State:
        """Open the state of a workspace.

        Raises:
            UsageError: There is none and *create* is false.
            OperationFailed: It cannot be read, or a newer version made it.
        """
        path = home / "state.db"
        if not cls.exists(home) and not create:
            raise UsageError(
                f"the workspace at {home} has no state yet",
                code="no-state",
                fix="apply a strategy (innkeeper apply DIR) or run it (innkeeper run --until now)",
            )
        connection = sqlite.connect(path, read_only=readonly)
        if not readonly:
            sqlite.migrate(connection, "state", path)
            connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES:d}")
        elif sqlite.is_older(connection, "state", path):
            # What reads may need tables that came with this version.
            cls.open(home).close()
        return cls(connection, path)

    @staticmethod
    def exists(home: Path) -> bool:
        """Whether the workspace has a state: a strategy was applied, or the engine has run."""
        return (home / "state.db").exists()

    @classmethod
    def in_memory(cls) -> State:
        """An empty state that lives as long as this object."""
        path = Path(":memory:")
        connection = sqlite3.connect(path, isolation_level=None)
        sqlite.migrate(connection, "state", path)
        return cls(connection, path)

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write transaction; rolled back when the block raises."""
        with sqlite.transaction(self.connection, self.path) as connection:
            yield connection

    def meta(self, key: str) -> str | None:
        """A named value; None when it was never set."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Set a named value (inside or outside a transaction)."""
        self.connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def cursor(self) -> Cursor | None:
        """How far the engine has come; None before the first run."""
        text = self.meta("cursor")
        return None if text is None else msgspec.json.decode(text, type=Cursor)

    def set_cursor(self, cursor: Cursor) -> None:
        """Record how far the engine has come, and the clock by itself for those who only read that."""
        self.set_meta("cursor", msgspec.json.encode(cursor).decode())
        self.set_meta("clock", str(cursor.clock))

    def clock(self) -> Instant | None:
        """The workspace's clock; None before the first run."""
        text = self.meta("clock")
        return None if text is None else int(text)

    # Profiles

    def bodies(self, subjects: Iterable[str]) -> dict[str, bytes]:
        """The stored states of the subjects that have one."""
        wanted = list(subjects)
        found: dict[str, bytes] = {}
        for start in range(0, len(wanted), _PAGE):
            page = wanted[start : start + _PAGE]
            marks = ",".join("?" * len(page))
            found.update(
                self.connection.execute(
                    "SELECT subject, body FROM subjects WHERE subject IN (" + marks + ")",  # noqa: S608 – placeholders
                    page,
                )
            )
        return found

    def due(self, until: Instant, limit: int) -> list[tuple[Instant, str]]:
        """The subjects whose next timer is at or before *until*, earliest first: (due instant, subject)."""
        return self.connection.execute(
            "SELECT next_due_at, subject FROM subjects WHERE next_due_at <= ? ORDER BY next_due_at, subject LIMIT ?",
            (until, limit),
        ).fetchall()

    def due_service_first(self, until: Instant, limit: int) -> list[str]:
        """The subjects with a timer at or before *until*: those of service journeys first, then the others."""
        found = self.connection.execute(
            "SELECT subject FROM subjects WHERE lane = 0 AND next_due_at <= ? ORDER BY next_due_at, subject LIMIT ?",
            (until, limit),
        ).fetchall()
        if len(found) < limit:
            found += self.connection.execute(
                "SELECT subject FROM subjects WHERE next_due_at <= ? AND lane <> 0"
                " ORDER BY next_due_at, subject LIMIT ?",
                (until, limit - len(found)),
            ).fetchall()
        return [subject for (subject,) in found]

    def put_subjects(self, rows: Sequence[SubjectRow]) -> None:
        """Write states."""
        self.connection.executemany(
            "INSERT INTO subjects (subject, next_due_at, stage, body, lane) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (subject) DO UPDATE SET next_due_at = excluded.next_due_at, stage = excluded.stage,"
            " body = excluded.body, lane = excluded.lane",
            rows,
        )

    def delete_subjects(self, subjects: Sequence[str]) -> None:
        """Drop states of profiles that are part of another one now."""
        self.connection.executemany("DELETE FROM subjects WHERE subject = ?", [(subject,) for subject in subjects])

    def pages(self, size: int = 2000) -> Iterator[list[tuple[str, bytes]]]:
        """All profiles in order of subject, page by page; what is written meanwhile may or may not be seen."""
        after = ""
        while True:
            page = self.connection.execute(
                "SELECT subject, body FROM subjects WHERE subject > ? ORDER BY subject LIMIT ?", (after, size)
            ).fetchall()
            if not page:
                return
            yield page
            after = page[-1][0]

    def subjects_after(self, subject: str, limit: int, stage: str | None = None) -> list[tuple[str, str | None]]:
        """So many profiles after one, of all stages or of one, each with its stage, in the order of their ids."""
        sql = (
            "SELECT subject, stage FROM subjects WHERE stage IS NOT ?1 AND subject > ?2 AND (?4 IS NULL OR stage = ?4)"
            " ORDER BY subject LIMIT ?3"
        )
        return self.connection.execute(sql, (NOBODY, subject, limit, stage)).fetchall()

    def count_subjects(self) -> int:
        """How many profiles there are."""
        return int(
            self.connection.execute("SELECT count(*) FROM subjects WHERE stage IS NOT ?", (NOBODY,)).fetchone()[0]
        )

    def numbered(self, subject: str) -> tuple[int, dict[str, int]] | None:
        """How many inputs and enrollments an identifier had when a revision took it away; None: it never did."""
        if self._numbered is None:
            self._numbered = self.connection.execute("SELECT 1 FROM numbered LIMIT 1").fetchone() is not None
        if not self._numbered:
            return None
        row = self.connection.execute("SELECT inputs, used FROM numbered WHERE subject = ?", (subject,)).fetchone()
        return None if row is None else (row[0], msgspec.json.decode(row[1], type=dict[str, int]))

    def was_planned(self, delivery: str) -> bool:
        """Whether a delivery had a fate before: only where a revision has put enrollments back."""
        if self._revised is None:
            self._revised = self.meta("revised") is not None
        if not self._revised:
            return False
        row = self.connection.execute("SELECT state, reason FROM deliveries WHERE id = ?", (delivery,)).fetchone()
        return row is not None and tuple(row) != ("cancelled", "retracted")

    def revised(self) -> None:
        """A revision is made: look again whether there are remembered numbers; mostly there are none."""
        self._numbered = self._revised = None

    def has_retired(self) -> bool:
        """Whether rows of the ledger went by retention."""
        return self.connection.execute("SELECT 1 FROM retired_deliveries LIMIT 1").fetchone() is not None

    def last_revision(self) -> int:
        """The place of the last revision in the order taken; 0: there was none."""
        sql = "SELECT coalesce(max(position), 0) FROM taken WHERE mode = ?"
        return int(self.connection.execute(sql, (REVISION,)).fetchone()[0])

    # Inputs and outputs

    def add_taken(self, rows: Sequence[TakenRow]) -> None:
        """Record inputs in the order in which they were taken."""
        self.connection.executemany(
            "INSERT INTO taken (position, mode, seq, taken_at, delivery, outcome, reason, subject)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [msgspec.structs.astuple(row) for row in rows],
        )

    def last_position(self) -> int:
        """The last position of `taken`; 0 before the first input."""
        return int(self.connection.execute("SELECT coalesce(max(position), 0) FROM taken").fetchone()[0])

    def taken(self, after: int, limit: int) -> list[TakenRow]:
        """Inputs in the order in which they were taken."""
        rows = self.connection.execute(
            "SELECT position, mode, seq, taken_at, delivery, outcome, reason, subject FROM taken WHERE position > ?"
            " ORDER BY position LIMIT ?",
            (after, limit),
        )
        return [TakenRow(*row) for row in rows]

    def taken_of(
        self,
        seqs: Iterable[int],
        deliveries: Iterable[str],
        before: int,
        *,
        things: Iterable[tuple[str, str, str]] = (),
        size: int = 2_000,
    ) -> Iterator[list[TakenRow]]:
        """Inputs before a position, by instant: these events, fates of these deliveries, what was told of these things
        (kind, type, id), and turning points.

        In a run a profile that waits for a receipt is overtaken by others: by position alone, profiles that are one in
        another world would take their inputs out of the order of time.
        """
        rows = self.connection.execute(
            "SELECT position, mode, seq, taken_at, delivery, outcome, reason, subject FROM taken"
            " WHERE position < :before AND (mode IN ('definitions', 'history_end')"
            " OR (mode = 'receipt' AND delivery IN (SELECT value FROM json_each(:deliveries)))"
            " OR (mode = 'fanout' AND (json_extract(reason, '$.kind'), json_extract(reason, '$.type'),"
            " json_extract(reason, '$.id')) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),"
            " json_extract(value, '$[2]') FROM json_each(:things)))"
            " OR (mode IN ('live', 'late', 'history') AND seq IN (SELECT value FROM json_each(:seqs))))"
            " ORDER BY taken_at, position",
            {
                "before": before,
                "deliveries": dumps(list(deliveries)),
                "seqs": dumps(list(seqs)),
                "things": dumps([list(key) for key in things]),
            },
        )
        while page := rows.fetchmany(size):
            yield [TakenRow(*row) for row in page]

    def taken_seqs(self, after: int) -> set[int]:
        """The log events among the inputs after a position: those of a tick that was cut off."""
        rows = self.connection.execute(
            "SELECT seq FROM taken WHERE position > ? AND mode IN ('live', 'late', 'history')", (after,)
        )
        return {seq for (seq,) in rows}

    def taken_up_to(self, position: int, seqs: Sequence[int]) -> set[int]:
        """Which of some log events are among the inputs up to a position."""
        wanted = set(seqs)
        rows = self.connection.execute(
            "SELECT seq FROM taken WHERE position <= ? AND mode IN ('live', 'late', 'history')", (position,)
        )
        return {seq for (seq,) in rows if seq in wanted}

    def which_taken(self, seqs: Sequence[int]) -> set[int]:
        """Which of some log events were taken, at any time; makes an index for it, so only scratch stores are asked."""
        self.connection.execute("CREATE INDEX IF NOT EXISTS taken_seq ON taken (seq)")
        found: set[int] = set()
        for start in range(0, len(seqs), _PAGE):
            page = seqs[start : start + _PAGE]
            found.update(
                seq
                for (seq,) in self.connection.execute(
                    "SELECT seq FROM taken WHERE mode IN ('live', 'late', 'history') AND seq IN ("  # noqa: S608
                    + ",".join("?" * len(page)) + ")",
                    page,
                )
            )  # fmt: skip
        return found

    def add_outbox(self, rows: Sequence[OutboxRow]) -> None:
        """Put outputs where the ingest finds them."""
        self.connection.executemany(
            "INSERT INTO outbox (taken_at, subject, input, idx, message_id, name, user_id, anonymous_id, properties,"
            " traits) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [msgspec.structs.astuple(row) for row in rows],
        )

    def outbox(self, limit: int) -> list[OutboxRow]:
        """The first rows of the outbox, in the order of the log."""
        rows = self.connection.execute(
            "SELECT taken_at, subject, input, idx, message_id, name, user_id, anonymous_id, properties, traits"
            " FROM outbox ORDER BY taken_at, subject, input, idx LIMIT ?",
            (limit,),
        )
        return [OutboxRow(*row) for row in rows]

    def outbox_size(self) -> int:
        """How many rows wait for the log."""
        return int(self.connection.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def trim_outbox(self, last: OutboxRow) -> None:
        """Drop the rows up to and including *last*: the log has them."""
        self.connection.execute(
            "DELETE FROM outbox WHERE (taken_at, subject, input, idx) <= (?, ?, ?, ?)",
            (last.taken_at, last.subject, last.input, last.idx),
        )

    def drop_outbox(self, places: Iterable[OutboxPlace]) -> None:
        """Drop these rows and no others: the log has them."""
        self.connection.executemany(
            "DELETE FROM outbox WHERE taken_at = ? AND subject = ? AND input = ? AND idx = ?", places
        )

    def planned(self) -> list[tuple[str, Instant]]:
        """The profiles that have a planned delivery which waits for nobody's answer, and its instant."""
        return self.connection.execute(
            "SELECT subject, min(not_before) FROM deliveries WHERE state IN ('planned', 'claimed', 'committing')"
            " AND reason <> 'virtual' AND state = 'planned' AND hold IS NULL GROUP BY subject ORDER BY subject"
        ).fetchall()

    # Receipts

    def receipts(self, limit: int) -> list[Receipt]:
        """Fates of deliveries that the fold has not heard of, oldest first; a virtual one counts as accepted."""
        rows = self.connection.execute(
            "SELECT id, subject, identifier, message, channel, purpose, journey, key,"
            " CASE WHEN state = 'planned' AND reason = 'virtual' THEN 'accepted'"
            " WHEN hold IS NOT NULL AND state = 'planned' THEN 'held' ELSE state END,"
            " CASE WHEN hold IS NOT NULL AND state = 'planned' THEN home ELSE reason END,"
            " max(planned_at, coalesce(released_at, 0)) AS due_at, state_at"
            " FROM deliveries WHERE receipt = 'pending' ORDER BY due_at, id LIMIT ?",
            (limit,),
        )
        return [Receipt(*row) for row in rows]

    def receipts_taken(self, deliveries: Sequence[str]) -> None:
        """Mark receipts as heard."""
        self.connection.executemany(
            "UPDATE deliveries SET receipt = 'taken' WHERE id = ?", [(delivery,) for delivery in deliveries]
        )
