"""Who may be meant by a few letters: identifiers that begin with them, and profiles by subject; indexed look-ups."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple

from innkeeper.kernel.json import dumps
from innkeeper.store.state import NOBODY

_TABLES: Final = ("subjects", "persons", "turns")
_COLUMNS: Final = {"subjects": "subject", "persons": "identifier", "turns": "identifier"}


class Found(NamedTuple):
    """One profile as it is stored."""

    subject: str
    stage: str | None
    body: bytes


def beginning(connection: sqlite3.Connection, start: str, limit: int) -> list[str]:
    """Identifiers that begin with a text, in their order, so many of each table at most."""
    found: set[str] = set()
    for table in _TABLES:
        column = _COLUMNS[table]
        rows = connection.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE {column} >= ? AND {column} < ? ORDER BY {column} LIMIT ?",  # noqa: S608 – names of ours
            (start, f"{start}\U0010ffff", limit),
        )
        found.update(identifier for (identifier,) in rows)
    return sorted(found)


def profiles(connection: sqlite3.Connection, subjects: Iterable[str]) -> dict[str, Found]:
    """Those of the subjects that are profiles."""
    rows = connection.execute(
        "SELECT subject, stage, body FROM subjects"
        " WHERE stage IS NOT ? AND subject IN (SELECT value FROM json_each(?))",
        (NOBODY, dumps(list(subjects))),
    )
    return {row[0]: Found(*row) for row in rows}
