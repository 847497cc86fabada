"""SQLite opened the one right way: WAL, `synchronous=FULL`, explicit transactions, migrations, errors translated.

Not here: what the tables mean (`log.py`, `state.py`). Connections are in autocommit; every change goes through
`transaction`, which begins IMMEDIATE, so that a writer waits for the lock at the start and never fails half-way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

from innkeeper.kernel.errors import InternalError, OperationFailed

#: How long a connection waits for another process's lock.
BUSY_MS: Final = 30_000

_DISK = "make room on the disk (df -h), or mend it; nothing that was acknowledged is lost, and the call can be repeated"
_SYNC = "the disk did not confirm a write: stop, check the disk, run: innkeeper doctor, then start again"
# result code, extended or primary -> (code of the error, fix); https://www.sqlite.org/rescode.html
_CODES: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("disk-full", _DISK),
    sqlite3.SQLITE_IOERR: ("disk-error", _DISK),
    sqlite3.SQLITE_IOERR_FSYNC: ("disk-sync-failed", _SYNC),
    sqlite3.SQLITE_IOERR_DIR_FSYNC: ("disk-sync-failed", _SYNC),
    sqlite3.SQLITE_CORRUPT: ("store-damaged", "run: innkeeper doctor"),
    sqlite3.SQLITE_NOTADB: ("store-damaged", "run: innkeeper doctor"),
    sqlite3.SQLITE_BUSY: ("store-busy", "another process is writing; try again when it has ended"),
    sqlite3.SQLITE_LOCKED: ("store-busy", "another process is writing; try again when it has ended"),
    sqlite3.SQLITE_READONLY: ("store-read-only", "make the folder and its files writable for this user"),
    sqlite3.SQLITE_CANTOPEN: ("store-unreadable", "check that the folder exists and that this user may use it"),
    sqlite3.SQLITE_PERM: ("store-unreadable", "make the folder and its files readable for this user"),
    sqlite3.SQLITE_AUTH: ("store-unreadable", "make the folder and its files readable for this user"),
    sqlite3.SQLITE_NOMEM: ("no-memory", "give the process more memory"),
}


def translate(error: sqlite3.Error, where: str | Path) -> OperationFailed | InternalError:
    """What people read instead of a `sqlite3` error; raise it `from` the error."""
    extended = getattr(error, "sqlite_errorcode", 0) or 0
    found = _CODES.get(extended) or _CODES.get(extended & 0xFF)
    if found is not None:
        code, fix = found
        return OperationFailed(str(error), code=code, where=str(where), fix=fix)
    return InternalError(f"{type(error).__name__}: {error}", code="sqlite", where=str(where))


@contextmanager
def translated(where: str | Path) -> Iterator[None]:
    """Turns every `sqlite3` error inside into one that people can act on.

    Raises:
        OperationFailed: The disk is full or broken, the file is damaged, locked or not ours to write.
        InternalError: Anything else, which is a bug.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, where) from error


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit, with every setting that durability needs.

    It may be used by several threads, one at a time.

    Raises:
        OperationFailed: The file cannot be opened or is no SQLite file.
    """
    with translated(path):
        uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=False, cached_statements=256
        )
        try:
            if not read_only:
                # Says `wal` also where it was WAL before; a file system without shared memory answers `delete`.
                mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                if mode != "wal":
                    raise OperationFailed(
                        f"this file system cannot hold a write-ahead log (journal mode '{mode}')",
                        code="no-wal", where=str(path), fix="keep the home on a local disk",
                    )  # fmt: skip
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA cache_size = -32768")
            connection.execute("PRAGMA schema_version").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection, where: str | Path = "the store") -> Iterator[sqlite3.Connection]:
    """One write transaction: BEGIN IMMEDIATE, then COMMIT (on disk when it returns), or ROLLBACK on any error.

    Raises:
        OperationFailed: As `translated`; nothing of the transaction is kept.
    """
    with translated(where):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def migrate(connection: sqlite3.Connection, family: str, where: str | Path) -> int:
    """Bring a file up to the newest `store/sql/{family}_NNNN.sql`, in one transaction; its version.

    Raises:
        OperationFailed: The file was written by a newer Innkeeper; it is left as it is.
    """
    scripts = _scripts(family)
    newest = scripts[-1][0]
    with translated(where):
        if _version(connection, newest, where) == newest:
            return newest
        with transaction(connection, where):
            version = _version(connection, newest, where)
            for number, script in scripts:
                if number > version:
                    for statement in _statements(script):
                        connection.execute(statement)
            # A pragma takes no bound value; the number comes from a file name of ours.
            connection.execute(f"PRAGMA user_version = {newest:d}")
    return newest


def readable(connection: sqlite3.Connection, family: str, where: str | Path) -> bool:
    """Whether a file holds tables yet; another process may just be making it.

    Raises:
        OperationFailed: The file was written by a newer Innkeeper.
    """
    with translated(where):
        return _version(connection, newest_version(family), where) > 0


def is_newest(connection: sqlite3.Connection, family: str, where: str | Path) -> bool:
    """Whether a file has the newest version.

    Raises:
        OperationFailed: The file was written by a newer Innkeeper.
    """
    newest = newest_version(family)
    with translated(where):
        return _version(connection, newest, where) == newest


def newest_version(family: str) -> int:
    """The version that `migrate` brings a file to."""
    return _scripts(family)[-1][0]


def _version(connection: sqlite3.Connection, newest: int, where: str | Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > newest:
        raise OperationFailed(
            f"the store has version {version}, this Innkeeper knows versions up to {newest}",
            code="store-newer", where=str(where), fix="use the newer Innkeeper that wrote it",
        )  # fmt: skip
    return version


def _scripts(family: str) -> list[tuple[int, str]]:
    folder = resources.files("innkeeper.store").joinpath("sql")
    return sorted(
        (int(entry.name[len(family) + 1 : -4]), entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.startswith(f"{family}_") and entry.name.endswith(".sql")
    )


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; a semicolon inside a trigger or a text does not end one."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
