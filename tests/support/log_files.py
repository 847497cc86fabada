"""What another process has put into a log so far, seen from outside."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def committed(home: Path) -> int:
    """How many events of an unsealed log are on disk; 0 while it is being made.

    The size of the write-ahead file does not say it: a transaction that outgrows its cache is there before its end.
    """
    try:
        database = sqlite3.connect(f"file:{home / 'log.db'}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return 0
    try:
        return int(database.execute("SELECT count(*) FROM tail").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        database.close()
