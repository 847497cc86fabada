"""Compares the ledger with the provider's own history: nothing lost, nothing twice."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path

from innkeeper.store.ledger import balance


def violations(home: Path, planned: Collection[str], accepted: Iterable[str], *, in_doubt_at_most: int) -> list[str]:
    """What is wrong after everything has come to rest; empty when nothing is.

    Args:
        home: The workspace.
        planned: The ids of all deliveries that were planned.
        accepted: Every acceptance in the provider's history, repeats included.
        in_doubt_at_most: Slots times kills, plus the answers that the provider withheld.
    """
    with closing(sqlite3.connect(home / "state.db")) as connection:
        found = balance(connection)
        rows = {row[0]: row[1:] for row in connection.execute("SELECT id, state, doubts, kind FROM deliveries")}
    times = Counter(accepted)
    wrong: list[str] = []
    if found["difference"] or found["open"] or found["planned"] != len(planned):
        wrong.append(f"the ledger does not balance: {found}, planned {len(planned)}")
    if set(rows) != set(planned):
        wrong.append(f"rows are missing or invented: {sorted(set(rows) ^ set(planned))[:5]}")
    for delivery, (state, doubts, kind) in sorted(rows.items()):
        count = times.pop(delivery, 0)
        allowed = 1 + doubts if kind == "transactional" else 1
        if count > allowed:
            wrong.append(f"{delivery} was accepted {count} times: {state}")
        if state == "accepted" and count == 0:
            wrong.append(f"{delivery} is called accepted, the provider never had it")
        if state not in ("accepted", "in_doubt") and count:
            wrong.append(f"{delivery} is called {state}, the provider has it")
    if times:
        wrong.append(f"the provider has what nobody planned: {sorted(times)[:5]}")
    doubtful = sum(state == "in_doubt" for state, *_ in rows.values())
    if doubtful > in_doubt_at_most:
        wrong.append(f"{doubtful} are in doubt, at most {in_doubt_at_most} may be")
    return wrong
