"""The applied strategy: kept in `state.db` as the texts of its files, loaded from there by everything that runs.

What the texts mean is `strategy/load.py`; how profiles come under new definitions is `adopt.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from innkeeper.kernel.errors import Invalid, OperationFailed
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import Instant
from innkeeper.lifecycle import World
from innkeeper.store.sqlite import transaction, translated
from innkeeper.store.state import State
from innkeeper.strategy.load import load, version_of
from innkeeper.strategy.types import Definitions, Workspace


def applied(state: State) -> Definitions | None:
    """The definitions in force; None when nothing was applied yet.

    Raises:
        OperationFailed: They were applied by another version and are not valid for this one.
    """
    found = _latest(state)
    return None if found is None else _load(found[2])


def world(state: State, upto: int | None = None) -> World:
    """The definitions in force, compiled, with earlier ones for the people who are inside a changed journey.

    *upto*: the definitions that were in force when that number was the newest; 0: none.
    """
    with translated("state.db"):
        rows: list[tuple[int, str]] = state.connection.execute(
            "SELECT number, files FROM definitions WHERE ? IS NULL OR number <= ? ORDER BY number DESC", (upto, upto)
        ).fetchall()
    if not rows:
        return World.build(Definitions(version="none"))
    current, *earlier = (_load(files) for _, files in rows)
    return World.build(current, earlier)


def earlier(state: State) -> list[Definitions]:
    """All definitions that were ever in force, those of now included."""
    with translated("state.db"):
        rows: list[tuple[str]] = state.connection.execute("SELECT files FROM definitions ORDER BY number").fetchall()
    return [_load(files) for (files,) in rows]


@lru_cache(maxsize=16)
def _load(files: str) -> Definitions:
    # Read again and again by whatever plays the past; the same texts mean the same.
    try:
        # Names were checked against the log when the strategy was applied; the log may hold fewer since.
        return load(loads(files), allow_unknown=True)
    except Invalid as error:
        raise OperationFailed(
            f"the applied strategy is not valid for this version of Innkeeper:\n{error}",
            code="applied-invalid",
            fix="mend the strategy folder, then: innkeeper apply DIR",
        ) from error


def workspace_of(home: Path) -> Workspace:
    """What the strategy in force says of its workspace; where there is none, what holds without one."""
    if not State.exists(home):
        return Workspace()
    with State.open(home, readonly=True) as state:
        found = applied(state)
    return Workspace() if found is None else found.workspace


def applied_files(state: State) -> dict[str, str]:
    """The texts of the applied strategy by path; empty when nothing was applied yet."""
    found = _latest(state)
    return {} if found is None else loads(found[2])


def files_of(state: State, number: int) -> dict[str, str]:
    """The texts of the strategy with a number by path; empty for 0: before any was applied."""
    with translated("state.db"):
        row = state.connection.execute("SELECT files FROM definitions WHERE number = ?", (number,)).fetchone()
    return {} if row is None else loads(row[0])


def number(state: State) -> int:
    """The number of the strategy in force, rising with every change; 0: none."""
    found = _latest(state)
    return 0 if found is None else found[0]


def apply(state: State, files: Mapping[str, str], now: Instant) -> int:
    """Put a strategy in force that has passed `load`; its number. The same files again change nothing."""
    with transaction(state.connection, "state.db"):
        found = _latest(state)
        version = version_of(files)
        if found is not None and found[1] == version:
            return found[0]
        new = found[0] + 1 if found is not None else 1
        state.connection.execute(
            "INSERT INTO definitions (number, version, applied_at, files) VALUES (?, ?, ?, ?)",
            (new, version, now, dumps(dict(files))),
        )
    return new


def put_in_force(home: Path, state: State, files: Mapping[str, str], now: Instant) -> dict[str, Any]:
    """`apply`; and `{"warnings"}` of what the definitions can no longer know, because raw events went, if any."""
    from innkeeper.runtime.gaps import Gaps

    apply(state, files, now)
    gaps, clock = Gaps(home), state.clock()
    found = applied(state) if gaps.carried and clock is not None else None
    gone = () if found is None or clock is None else gaps.of_definitions(found, clock)
    return {"warnings": [problem.as_dict() for problem in gone]} if gone else {}


def _latest(state: State) -> tuple[int, str, str] | None:
    with translated("state.db"):
        row: tuple[int, str, str] | None = state.connection.execute(
            "SELECT number, version, files FROM definitions ORDER BY number DESC LIMIT 1"
        ).fetchone()
    return row
