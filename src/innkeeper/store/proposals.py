"""The proposals of a workspace: pairs that may be one person, groups that may be one home; who decided what.

Open rows are computed and can be computed again; a decision is an event of the log, and its row here says so too. Next
in the flow: `runtime/matching.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from innkeeper.identity.matching import Proposal, ProposalState
from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import Instant, format_instant

_COLUMNS = "id, kind, members, household_id, probability, weight, evidence, state, proposed_at, decided_at"


def replace_open(
    connection: sqlite3.Connection, kind: str, found: Sequence[tuple[Proposal, ProposalState]], at: Instant
) -> int:
    """Make the proposals of a kind those of now, and those that a person has decided on; how many are new.

    What was open and is not found any more goes; an open one that was there keeps the time of its first proposal.
    """
    known = {row[0] for row in connection.execute("SELECT id FROM proposals WHERE kind = ?", (kind,))}
    first = dict(connection.execute("SELECT id, proposed_at FROM proposals WHERE kind = ? AND state = 'open'", (kind,)))
    connection.execute("DELETE FROM proposals WHERE kind = ? AND state = 'open'", (kind,))
    connection.executemany(
        "INSERT INTO proposals (id, kind, members, household_id, probability, weight, evidence, state, proposed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        [
            (
                one.id,
                one.kind,
                dumps(list(one.members)),
                one.household_id,
                one.probability,
                one.weight,
                dumps([each.as_dict() for each in one.evidence]),
                state,
                first.get(one.id, at),
            )
            for one, state in found
        ],
    )
    return sum(state == "open" and one.id not in known for one, state in found)


def decide(connection: sqlite3.Connection, ids: Iterable[str], state: ProposalState, at: Instant) -> None:
    """Write down what a person decided."""
    connection.executemany(
        "UPDATE proposals SET state = ?, decided_at = ? WHERE id = ?", [(state, at, one) for one in ids]
    )


def listing(
    connection: sqlite3.Connection, *, state: str | None = None, kind: str | None = None, above: float | None = None
) -> list[dict[str, Any]]:
    """The proposals, the most probable first, homes last."""
    rows = connection.execute(
        "SELECT " + _COLUMNS + " FROM proposals WHERE (:state IS NULL OR state = :state)"  # noqa: S608 – names of ours
        " AND (:kind IS NULL OR kind = :kind) AND (:above IS NULL OR probability >= :above)"
        " ORDER BY kind DESC, probability DESC, id",
        {"state": state, "kind": kind, "above": above},
    )
    return [_told(row) for row in rows]


def one(connection: sqlite3.Connection, proposal: str) -> dict[str, Any]:
    """A proposal by its id.

    Raises:
        UsageError: There is none.
    """
    sql = "SELECT " + _COLUMNS + " FROM proposals WHERE id = ?"  # noqa: S608 – names of ours
    row = connection.execute(sql, (proposal,)).fetchone()
    if row is None:
        known = [known for (known,) in connection.execute("SELECT id FROM proposals")]
        raise UsageError(
            f"there is no proposal '{proposal}'", code="unknown-proposal",
            fix=did_you_mean(proposal, known) or "see them: innkeeper match list --state all",
        )  # fmt: skip
    return _told(row)


def _told(row: Sequence[Any]) -> dict[str, Any]:
    told: Mapping[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
    return {
        **told,
        "members": loads(told["members"]),
        "evidence": loads(told["evidence"]),
        "proposed_at": format_instant(told["proposed_at"]),
        "decided_at": None if told["decided_at"] is None else format_instant(told["decided_at"]),
    }
