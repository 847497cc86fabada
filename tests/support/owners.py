"""That a profile's runs and the rows that they have made name the same owner, whoever has had the browser since."""

from __future__ import annotations

from innkeeper.profiles.state import decode
from innkeeper.store.state import State
from support.workspace import Workspace

#: Rows that belong to somebody else than the enrollment that made them.
_APART = """
SELECT made.kind, made.id, made.subject, run.subject FROM (
  SELECT 'delivery' AS kind, id, subject, enrollment FROM deliveries
  UNION ALL SELECT 'decision', step || '/' || gate, subject, enrollment FROM decisions
  UNION ALL SELECT 'task', id, subject, enrollment FROM tasks
) AS made JOIN enrollments AS run ON run.id = made.enrollment WHERE made.subject <> run.subject
"""


def check_owners(space: Workspace) -> int:
    """The open runs of every profile are its rows, and everything that a run has made is of whoever has the run."""
    number = 0
    with State.open(space.home, readonly=True) as state:
        assert state.connection.execute(_APART).fetchall() == []
        held: dict[str, tuple[object, ...]] = {}
        for page in state.pages():
            for subject, body in page:
                profile = decode(body)
                held |= {one.id: (subject, one.identifier, one.owned_at) for one in profile.enrollments}
                for one in profile.enrollments:
                    assert any(visit.identifier == one.identifier for each in profile.visits.values() for visit in each)
                number += len(profile.enrollments)
        rows = state.connection.execute(
            "SELECT id, subject, identifier, owned_at FROM enrollments WHERE ended_at IS NULL"
        )
        assert {id: tuple(row) for id, *row in rows} == held
    return number
