"""Everything about one customer in one answer: the profile, its path, its messages and tasks, its timeline.

Reads only. What the fold knows: `profiles/portrait.py`; of a past instant: `past.py`; in words: `cli/profile_told.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import Instant, format_instant
from innkeeper.lifecycle import World
from innkeeper.measurement.story import Happening, tell
from innkeeper.profiles.portrait import portrait
from innkeeper.profiles.state import ProfileState
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.identity_reading import IdentityReader
from innkeeper.runtime.links import identifiers, merge_told
from innkeeper.runtime.lookup import identifier_meant, rules_of
from innkeeper.runtime.past import known
from innkeeper.runtime.tasks import handled
from innkeeper.store.bulk import Bulk
from innkeeper.store.identity import IdentityTables
from innkeeper.store.overview import happenings_of, stretches_of
from innkeeper.store.queries import profile_rows
from innkeeper.store.state import State


def find(home: Path, store: State, id: str, at: Instant | None) -> tuple[ProfileState, World, Instant]:
    """A profile as the engine knew it, the definitions of then, and the instant.

    Raises:
        UsageError: Nobody of that id was known then.
    """
    state, world, moment = known(home, identifier_meant(id, rules_of(store)), at)
    if state is None:
        raise UsageError(
            f"nobody is known as '{id}'" + ("" if at is None else f" at {format_instant(at)}"),
            code="unknown-profile",
            fix="an id is a user id, or namespace:value, e.g. anonymous_id:9f3a; see: innkeeper events list",
        )
    return state, world, moment


def look(home: Path, id: str, at: Instant | None, timeline: int) -> dict[str, Any]:
    """The JSON of `profile show`; the last *timeline* lines of what happened.

    Raises:
        UsageError: Nobody of that id was known then.
    """
    with State.open(home, readonly=True) as store:
        state, world, moment = find(home, store, id, at)
        rows = profile_rows(store.connection, state.subject, at=at)
        definitions = applied.applied(store)
        unheard = () if at is None else _taken_later(store, at)
        who = _who(store, state, world, at)
        own = stretches_of(store.connection, state.subject)
    steps = {each.id: each.step for each in state.enrollments}
    if at is None:
        rows["tasks"] = handled(home, rows["tasks"])
    for row in rows["enrollments"]:
        row["step"] = steps.get(row["id"], row["step"])
    sources = {} if definitions is None else definitions.workspace.sources
    verifies = {name: each.verifies for name, each in sources.items()}
    told = portrait(state, world.profiles.zone, moment, world.profiles.merges, verifies)
    mine = [each for each in own if each[0] in told["identifiers"]]
    with Bulk.open(home, identifiers={name for name, _, _ in mine}) as bulk:
        happened = happenings_of(bulk, mine, moment, unheard)
    return told | who | {"path": _path(happened)} | rows | _timeline(happened, told["zone"], timeline)


def _who(store: State, state: ProfileState, world: World, at: Instant | None) -> dict[str, Any]:
    """What the profile is known as, from when until when, and how it came to be."""
    reader = IdentityReader(IdentityTables(store.connection), world.identity)
    everything = sorted({state.subject, *state.facts, *state.identifiers})
    known_as = [each for each in identifiers(reader, state.subject) if each["identifier"] in everything]
    missing = sorted(set(everything) - {each["identifier"] for each in known_as})
    merges = reader.tables.merges(everything)
    return {
        "known_as": known_as + [{"identifier": name, "spans": []} for name in missing],
        "merges": [merge_told(merge) for merge in merges if at is None or merge.at <= at],
    }


def _taken_later(store: State, at: Instant) -> Collection[int]:
    """The events that had happened, but came to the engine only after an instant."""
    found = store.connection.execute("SELECT seq FROM taken WHERE mode = 'late' AND taken_at > ?", (at,))
    return {seq for (seq,) in found}


def _path(happened: list[Happening]) -> list[dict[str, Any]]:
    """The stages that were announced, in order."""
    return [
        {"at": format_instant(one.at), "from": one.properties.get("before"), "to": one.properties.get("stage")}
        for one in happened
        if one.own and one.name == "Stage Changed"
    ]


def _timeline(happened: list[Happening], zone: str, length: int) -> dict[str, Any]:
    lines = tell(happened, zone)
    shown = lines[max(0, len(lines) - length) :] if length else []
    return {
        "timeline": [
            {"at": format_instant(line.at), "voice": line.voice, "text": line.text, "detail": line.detail}
            for line in shown
        ],
        "timeline_lines": len(lines),
    }
