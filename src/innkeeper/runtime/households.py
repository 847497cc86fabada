"""`household`: who lives together, and the answer that a home waits for. What people say here becomes events.

The engine takes them with its next run. What follows from a home is `store/home_rules.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from innkeeper.events.types import Event, to_row
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.ids import ANONYMOUS, USER, digest, display_id
from innkeeper.kernel.time import Instant, SystemClock, format_instant
from innkeeper.profiles.home import ANSWERED, JOINED, LEFT
from innkeeper.runtime.lookup import subject_of
from innkeeper.runtime.writing import writing
from innkeeper.store.homes import Homes
from innkeeper.store.log import Log
from innkeeper.store.state import State

SOURCE = "cli"


def listing(state: State) -> list[dict[str, Any]]:
    """Every household with its members, and whether a question about it is open."""
    homes = Homes(state.connection)
    return [_told(state, homes, household, members) for household, members in homes.all()]


def show(state: State, household: str) -> dict[str, Any]:
    """One household.

    Raises:
        UsageError: Nobody lives there.
    """
    homes = Homes(state.connection)
    members = homes.members(household)
    if not members:
        raise UsageError(
            f"nobody lives in a household '{household}'", code="unknown-household",
            # No near names: a home may be named by its address, and who may answer for one need not see the others.
            fix="see them: innkeeper household list",
        )  # fmt: skip
    return _told(state, homes, household, members)


def _told(state: State, homes: Homes, household: str, members: list[str]) -> dict[str, Any]:
    deaths = homes.deaths(members)
    held = state.connection.execute(
        "SELECT id, subject, message, expires_at FROM deliveries WHERE hold = ? AND state = 'planned' ORDER BY id",
        (household,),
    ).fetchall()
    answer = homes.answer(household, deaths[0].at) if deaths else None
    return {
        "household": household,
        "members": [display_id(member) for member in members],
        "deceased": [display_id(death.subject) for death in deaths],
        "answer": None if answer is None else ("yes" if answer else "no"),
        "held": [
            {"id": id_, "user_id": display_id(subject), "message": message, "expires_at": format_instant(expires_at)}
            for id_, subject, message, expires_at in held
        ],
    }


def join(home: Path, who: str, household: str) -> str:
    """Write down that somebody lives in a household."""
    return _say(home, JOINED, who, {"household_id": household})


def leave(home: Path, who: str, household: str | None) -> str:
    """Write down that somebody has left a household, or whichever it was."""
    return _say(home, LEFT, who, {} if household is None else {"household_id": household})


def release(home: Path, household: str, *, allowed: bool) -> str:
    """Answer whether a home where somebody has died may be written to; whom the answer is written under.

    Raises:
        UsageError: Nobody has died there, so that nothing was asked.
    """
    with writing(home) as (log, state):
        homes = Homes(state.connection)
        deaths = homes.deaths(homes.members(household))
        if not deaths:
            show(state, household)
            raise UsageError(
                f"nobody of the household '{household}' is known to have died: there is nothing to answer",
                code="no-question", fix=f"see: innkeeper household show {household}",
            )  # fmt: skip
        answer = {"household_id": household, "answer": "yes" if allowed else "no"}
        _append(log, state, ANSWERED, deaths[0].subject, answer)
        return deaths[0].subject


def _say(home: Path, name: str, who: str, properties: dict[str, Any]) -> str:
    with writing(home) as (log, state):
        subject = subject_of(state, who)
        if not state.bodies([subject]):
            raise UsageError(
                f"there is no profile '{who}'", code="unknown-profile", fix="name a user_id, or anonymous_id:…"
            )
        _append(log, state, name, subject, properties)
        return subject


def _append(log: Log, state: State, name: str, subject: str, properties: dict[str, Any]) -> None:
    clock = state.clock()
    now = SystemClock().now()
    at: Instant = now if clock is None else clock
    event = Event(
        source=SOURCE,
        message_id="household:" + digest(name, subject, *properties.values(), at),
        type="track",
        name=name,
        user_id=subject[len(USER) :] if subject.startswith(USER) else None,
        anonymous_id=subject[len(ANONYMOUS) :] if subject.startswith(ANONYMOUS) else None,
        timestamp=at,
        received_at=now,
        properties=properties,
    )
    log.append([to_row(event)])
