"""Gathers the overview of a workspace: figures of the state, stages in the past, one profile's story.

Reads only. Next in the flow: `measurement/overview_page.py` writes the page, `cli/demo.py` tells it in the terminal.
"""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.ids import display_id
from innkeeper.kernel.time import Instant
from innkeeper.kernel.zones import from_local, to_local
from innkeeper.measurement.overview import Overview, StageCounts, Story
from innkeeper.measurement.story import Happening, tell
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.lookup import subject_of
from innkeeper.runtime.stages import stage_counts
from innkeeper.store import overview as figures
from innkeeper.store.bulk import Bulk
from innkeeper.store.state import State
from innkeeper.strategy.types import Definitions

#: At most so many month ends are drawn.
_MONTHS = 24


def gather(home: Path, *, profile: str | None = None, with_story: bool = True) -> Overview:
    """The overview of a workspace as it stands at its clock.

    Args:
        home: Folder of the workspace.
        profile: ID of the profile whose story is told; None: the one to whom the most happened.
        with_story: Whether one is told at all; the rest is about nobody in particular.

    Raises:
        UsageError: The workspace has not run yet, or there is no such profile.
    """
    with State.open(home, readonly=True) as state, Bulk.open(home) as bulk:
        clock = state.clock()
        if clock is None:
            raise UsageError(
                f"the workspace at {home} has not run yet", code="not-run", fix="innkeeper run --until now"
            )
        definitions = applied.applied(state) or Definitions(version="none")
        zone = definitions.workspace.zone
        db = state.connection
        events, first = bulk.rows("SELECT count(*), min(ts) FROM events WHERE source <> 'innkeeper'")[0]
        since = clock if first is None else int(first)
        quiet = definitions.policies.quiet_hours
        subject = None
        if with_story:
            subject = figures.eventful(db) if profile is None else subject_of(state, profile)
        return Overview(
            workspace=definitions.workspace.name,
            zone=zone,
            since=since,
            until=clock,
            events=int(events),
            profiles=state.count_subjects(),
            tasks=figures.tasks(db),
            stages=tuple(rule.stage for rule in definitions.stages),
            stage_counts=_stages(home, definitions, month_ends(since, clock, zone)),
            journeys=figures.journeys(db, list(definitions.journeys)),
            refusals=figures.refusals(db),
            days=figures.days(db, zone, since, clock),
            hours=figures.hours(db),
            quiet=None if quiet is None else (f"{quiet.start:%H:%M}", f"{quiet.end:%H:%M}"),
            balance=figures.balance(db),
            story=None if subject is None else _story(figures.happenings(db, bulk, subject, clock), subject, zone),
        )


def _stages(home: Path, definitions: Definitions, instants: list[Instant]) -> list[StageCounts]:
    if not definitions.stages:
        return []
    counted = stage_counts(home, definitions, instants)
    return [StageCounts(at=at, counts=counts) for at, counts in zip(instants, counted, strict=True)]


def month_ends(since: Instant, until: Instant, zone: str) -> list[Instant]:
    """The starts of the local months after *since* and up to *until*, then *until* itself; the latest 24."""
    day = to_local(since, zone).date().replace(day=1)
    found: list[Instant] = []
    while True:
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
        instant = from_local(day, time(0), zone)
        if instant >= until:
            return [*found, until][-_MONTHS:]
        found.append(instant)


def _story(happened: list[Happening], subject: str, zone: str) -> Story:
    if not happened:
        raise UsageError(
            f"there is no profile '{display_id(subject)}'",
            code="unknown-profile",
            fix="list who is there: innkeeper audience list \"did('Page Viewed')\"",
        )
    name: dict[str, str] = {}
    for one in happened:
        for trait in ("first_name", "last_name"):
            if isinstance(one.traits.get(trait), str):
                name[trait] = one.traits[trait]
    full = " ".join(name[trait] for trait in ("first_name", "last_name") if trait in name)
    return Story(id=display_id(subject), name=full, lines=tell(happened, zone))
