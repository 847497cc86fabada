"""How many profiles are in each stage as of an instant, asked of everyone at once over all that is now known.

What the engine announced at the time is in the events `Stage Changed`; this is the ad-hoc answer, by the definitions in
force. Used by `cli/stage.py` and the overview.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from innkeeper.audiences.ask import Question
from innkeeper.audiences.catalog import Catalog
from innkeeper.audiences.expand import expand
from innkeeper.audiences.nodes import Boolean, Expression
from innkeeper.kernel.errors import Problem, UsageError
from innkeeper.kernel.time import Instant
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.gaps import Gaps
from innkeeper.store.bulk import Bulk
from innkeeper.store.state import State
from innkeeper.strategy.expressions import account_names
from innkeeper.strategy.known import KnownNames
from innkeeper.strategy.types import Definitions


class NothingToCount(UsageError):
    """No strategy with stages is applied, or there are no events yet."""


def count_stages(home: Path, at: Instant | None) -> tuple[Instant, dict[str, int], tuple[Problem, ...]]:
    """Profiles per stage at an instant, default the workspace's clock; the empty name counts those in no stage.

    Also what the counts cannot know any more, because raw events went.

    Raises:
        NothingToCount: No strategy with stages is applied, or the log is empty.
    """
    with State.open(home, readonly=True) as state:
        definitions = applied.applied(state)
        clock = state.clock()
    if definitions is None or not definitions.stages:
        raise NothingToCount(
            "no stages are applied to this workspace",
            code="no-stages",
            fix="write a stages.yaml and apply it: innkeeper apply DIR",
        )
    instant = at if at is not None else clock
    if instant is None:
        with Bulk.open(home) as bulk:
            instant = bulk.rows("SELECT max(ts) FROM events WHERE is_input")[0][0]
    if instant is None:
        raise NothingToCount("the log holds no events yet", code="empty-log", fix="innkeeper import FILE")
    gaps, catalog = Gaps(home), _catalog(definitions)
    gone = [problem for rule in definitions.stages for problem in gaps.problems(expand(rule.when, catalog), instant)]
    return instant, stage_counts(home, definitions, [instant])[0], tuple(dict.fromkeys(gone))


def _catalog(definitions: Definitions) -> Catalog:
    return Catalog(
        audiences={name: audience.when for name, audience in definitions.audiences.items()},
        stages=tuple((rule.stage, rule.when) for rule in definitions.stages),
        merges=definitions.workspace.merges,
        **account_names(definitions, KnownNames()),
    )


def stage_counts(home: Path, definitions: Definitions, instants: Sequence[Instant]) -> list[dict[str, int]]:
    """Profiles per stage at each instant, in the order of the stages; the empty name counts those in no stage."""
    catalog = _catalog(definitions)
    # One light question per rule and the order kept here: a third of the time of asking "stage = 'x'" for each stage,
    # which repeats all rules before it. The last rule holds for all.
    rules: list[tuple[str, Expression]] = [*catalog.stages, ("", Boolean(True))]
    zone = definitions.workspace.zone
    carried, identity = Gaps(home).carried, definitions.workspace.identity
    questions = [
        [(name, Question(when, catalog, at=at, zone=zone, carried=carried, rules=identity)) for name, when in rules]
        for at in instants
    ]
    paths = {path for asked in questions for _, question in asked for path in question.properties}
    with Bulk.open(home, properties=paths) as bulk:
        return [_first_true(asked, bulk) for asked in questions]


def _first_true(asked: Sequence[tuple[str, Question]], bulk: Bulk) -> dict[str, int]:
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for name, question in asked:
        members = set(question.members(bulk.rows)) - taken
        counts[name] = counts.get(name, 0) + len(members)
        taken |= members
    return counts
