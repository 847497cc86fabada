"""The one way to open SQLite: settings, transactions, migrations, errors."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from innkeeper.kernel.errors import InternalError, OperationFailed
from innkeeper.store import sqlite


def test_settings(tmp_path: Path) -> None:
    connection = sqlite.connect(tmp_path / "a.db")
    ask = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert ask == {"journal_mode": "wal", "synchronous": 2}
    connection.close()


def test_a_failed_transaction_keeps_nothing(tmp_path: Path) -> None:
    connection = sqlite.connect(tmp_path / "a.db")
    connection.execute("CREATE TABLE t (x INTEGER NOT NULL)")
    with pytest.raises(InternalError), sqlite.transaction(connection, "a.db"):
        connection.executemany("INSERT INTO t VALUES (?)", [(1,), (None,)])
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("family", ["log", "state"])
def test_migrations_are_applied_once_and_a_newer_store_is_refused(tmp_path: Path, family: str) -> None:
    connection = sqlite.connect(tmp_path / "a.db")
    newest = sqlite.migrate(connection, family, "a.db")
    assert sqlite.migrate(connection, family, "a.db") == newest == sqlite.newest_version(family)
    connection.execute(f"PRAGMA user_version = {newest + 1}")
    with pytest.raises(OperationFailed) as caught:
        sqlite.migrate(connection, family, "a.db")
    assert caught.value.code == "store-newer"
    connection.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"garbage " * 1000)
    with pytest.raises(OperationFailed) as caught:
        sqlite.connect(path)
    assert caught.value.code == "store-damaged"
    assert str(path) in str(caught.value)


def test_a_full_disk_is_a_clear_error_and_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    script = f"""
import resource
from pathlib import Path
from innkeeper.kernel.errors import OperationFailed
from innkeeper.store import sqlite
connection = sqlite.connect(Path({str(path)!r}))
connection.execute("CREATE TABLE t (x BLOB)")
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
kept = 0
try:
    while True:
        with sqlite.transaction(connection):
            connection.execute("INSERT INTO t VALUES (zeroblob(20000))")
        kept += 1
except OperationFailed as error:
    print(kept, error.code)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    kept, code = run.stdout.split()
    assert code in ("disk-full", "disk-error")
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (int(kept),)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
