"""The rows of accounts besides their states: words on membership, who is a member now, changes that are being told.

Written in the tick's transaction (`runtime/account_desk.py`, `runtime/fanout.py`); states are `things.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from innkeeper.kernel.time import Instant
from innkeeper.store.state import State

_PAGE = 500


class WordRow(NamedTuple):
    """One word on whether an identifier is a member of an account."""

    identifier: str
    account: str
    at: Instant
    source: str
    message_id: str
    joined: bool


class MemberRow(NamedTuple):
    """A member as of now; *since*: its newest word."""

    account: str
    identifier: str
    role: str
    since: Instant


class FanOutRow(NamedTuple):
    """A change that is being told to many.

    Attributes:
        at: When it happened.
        done: The last identifier that was told.
        since: When the oldest change happened of which not everybody has been told.
    """

    kind: str
    type: str
    id: str
    change: str
    at: Instant
    position: int
    done: str
    since: Instant


def words_of(state: State, identifiers: Iterable[str]) -> dict[str, list[WordRow]]:
    """The words of each identifier, in the order of time."""
    wanted = list(identifiers)
    found: dict[str, list[WordRow]] = {identifier: [] for identifier in wanted}
    for start in range(0, len(wanted), _PAGE):
        page = wanted[start : start + _PAGE]
        marks = ",".join("?" * len(page))
        for identifier, account, at, source, message_id, joined in state.connection.execute(
            "SELECT identifier, account, at, source, message_id, joined FROM account_words"  # noqa: S608 – placeholders
            " WHERE identifier IN (" + marks + ") ORDER BY at, source, message_id",
            page,
        ):
            found[identifier].append(WordRow(identifier, account, at, source, message_id, bool(joined)))
    return found


def ever_members(state: State, account: str) -> list[str]:
    """Every identifier that has ever said a word on an account."""
    rows = state.connection.execute("SELECT DISTINCT identifier FROM account_words WHERE account = ?", (account,))
    return [identifier for (identifier,) in rows]


def add_words(state: State, rows: Sequence[WordRow]) -> None:
    """Record words; one that is there stays."""
    state.connection.executemany(
        "INSERT INTO account_words (identifier, account, at, source, message_id, joined) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        rows,
    )


def put_members(state: State, rows: Sequence[MemberRow]) -> None:
    """Write members as they are now."""
    state.connection.executemany(
        "INSERT INTO members (account, identifier, role, since) VALUES (?, ?, ?, ?) ON CONFLICT (account, identifier)"
        " DO UPDATE SET role = excluded.role, since = excluded.since",
        rows,
    )


def drop_members(state: State, rows: Sequence[tuple[str, str]]) -> None:
    """Drop members: (account, identifier)."""
    state.connection.executemany("DELETE FROM members WHERE account = ? AND identifier = ?", rows)


def member_page(state: State, account: str, after: str, upto: str | None, size: int) -> list[str]:
    """The identifiers of members after one, in order, up to one (None: to the end) or a page."""
    rows = state.connection.execute(
        "SELECT identifier FROM members WHERE account = ? AND identifier > ? AND (? IS NULL OR identifier <= ?)"
        " ORDER BY identifier LIMIT ?",
        (account, after, upto, upto, size),
    )
    return [identifier for (identifier,) in rows]


def member_rows(state: State, account: str) -> list[MemberRow]:
    """All members of an account."""
    rows = state.connection.execute(
        "SELECT account, identifier, role, since FROM members WHERE account = ? ORDER BY identifier", (account,)
    )
    return [MemberRow(*row) for row in rows]


def member_counts(state: State) -> dict[str, int]:
    """How many members each account has that has any."""
    return dict(state.connection.execute("SELECT account, count(*) FROM members GROUP BY account").fetchall())


def forget_accounts(state: State) -> None:
    """Drop all that is kept of accounts, before it is made anew from the log."""
    for table in ("account_words", "members"):
        state.connection.execute("DELETE FROM " + table)  # noqa: S608 – names of ours


def index_taken(state: State) -> None:
    """Let the engine look up whether it has taken an event; made when a workspace first declares accounts."""
    state.connection.execute("CREATE INDEX IF NOT EXISTS taken_seq ON taken (seq)")


def taken_among(state: State, seqs: Sequence[int]) -> set[int]:
    """Which events the engine has taken."""
    found: set[int] = set()
    for start in range(0, len(seqs), _PAGE):
        page = seqs[start : start + _PAGE]
        marks = ",".join("?" * len(page))
        sql = "SELECT seq FROM taken WHERE mode IN ('live', 'late', 'history') AND seq IN (" + marks + ")"  # noqa: S608
        found.update(seq for (seq,) in state.connection.execute(sql, page))
    return found


def put_fanout(state: State, row: FanOutRow) -> None:
    """Begin to tell a change, or note how far the telling has come; a newer change of the same thing begins anew."""
    state.connection.execute(
        "INSERT INTO fanouts (kind, type, id, change, at, position, done, since) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, type, id, change) DO UPDATE SET at = excluded.at, position = excluded.position,"
        " done = excluded.done, since = min(since, excluded.since)",
        row,
    )


def drop_fanout(state: State, row: FanOutRow) -> None:
    """Everybody has been told."""
    state.connection.execute("DELETE FROM fanouts WHERE kind = ? AND type = ? AND id = ? AND change = ?", row[:4])


def open_fanouts(state: State) -> list[FanOutRow]:
    """The changes that are being told, the oldest first."""
    rows = state.connection.execute(
        "SELECT kind, type, id, change, at, position, done, since FROM fanouts"
        " ORDER BY position, kind, type, id, change"
    )
    return [FanOutRow(*row) for row in rows]
