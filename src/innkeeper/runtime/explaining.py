"""Why, or why not: a customer and a message, or a delivery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from innkeeper.journeys.explain import explain_message
from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.ids import display_id
from innkeeper.kernel.time import Instant, format_instant
from innkeeper.measurement.story import Happening
from innkeeper.runtime.customer import find
from innkeeper.runtime.decided import decisions_then
from innkeeper.store.bulk import Bulk
from innkeeper.store.overview import happenings_of, stretches_of
from innkeeper.store.queries import delivery, profile_rows
from innkeeper.store.state import State


def why(home: Path, id: str, message: str, instant: Instant | None) -> dict[str, Any]:
    """Why a customer got, gets or does not get a message: the JSON of `explain profile`.

    Raises:
        UsageError: There is no such profile or message.
    """
    with State.open(home, readonly=True) as store:
        state, world, moment = find(home, store, id, instant)
        if message not in world.journeys.messages:
            raise UsageError(
                f"there is no message '{message}'",
                code="unknown-message",
                fix=did_you_mean(message, world.journeys.messages) or "see the folder messages/ of the strategy",
            )
        told = explain_message(
            state, moment, message, world.journeys, world.profiles.zone, world.profiles.merges
        ).as_dict()
        made = decisions_then(home, store, subject=state.subject, message=message, at=instant)
        rows = profile_rows(store.connection, state.subject, at=instant)["deliveries"]
        own = stretches_of(store.connection, state.subject)
    with Bulk.open(home) as bulk:
        skipped = [one for one in happenings_of(bulk, own, moment) if one.own and one.name == "Steps Skipped"]
    return {
        "id": display_id(state.subject),
        **told,
        "decisions": made,
        "deliveries": [row for row in rows if row["message"] == message],
        "skipped": [_skipped(one) for one in skipped if message in one.properties["messages"]],
    }


def _skipped(one: Happening) -> dict[str, Any]:
    said = one.properties
    return {"at": format_instant(one.at)} | {name: said[name] for name in ("journey", "key", "date", "until")}


def why_delivery(home: Path, id: str) -> dict[str, Any]:
    """A delivery with the decisions of its candidate, and its fate in the ledger.

    Raises:
        UsageError: There is none of this id.
    """
    with State.open(home, readonly=True) as store:
        told = delivery(store.connection, id)
    if told is None:
        raise UsageError(f"there is no delivery '{id}'", code="unknown-delivery", fix="see: innkeeper ledger list")
    return told
