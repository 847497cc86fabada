"""One profile as JSON: who it is, what is known and from where, as `profile show` and the API tell it."""

from __future__ import annotations

from typing import Any

from innkeeper.kernel.ids import display_id
from innkeeper.kernel.time import Instant, format_instant
from innkeeper.profiles.state import Facts, ProfileState, Trait
from innkeeper.profiles.traits import trait_value
from innkeeper.profiles.zone import zone_of


def portrait(state: ProfileState, workspace_zone: str, at: Instant) -> dict[str, Any]:
    """What is known of a profile at an instant, with the source of each trait."""
    zone = zone_of(state, workspace_zone)
    return {
        "id": display_id(state.subject),
        "at": format_instant(at),
        "identifiers": sorted({state.subject, *state.facts, *state.identifiers}),
        "zone": zone.name,
        "stage": state.stage,
        "parked": state.parked,
        "traits": _traits(state),
        "audiences": [
            {"name": name, "since": format_instant(membership.at), "identifier": membership.identifier}
            for name, membership in sorted(state.memberships.items())
        ],
        "consents": [
            {
                "identifier": identifier,
                "purpose": word.purpose,
                "channel": word.channel,
                "topic": word.topic,
                "given": word.given,
                "at": format_instant(word.at),
                "proof": word.proof,
            }
            for identifier, facts in sorted(state.facts.items())
            for word in facts.consents
        ],
        "suppressions": [
            {
                "identifier": identifier,
                "channel": word.channel,
                "suppressed": word.suppressed,
                "reason": word.reason,
                "at": format_instant(word.at),
            }
            for identifier, facts in sorted(state.facts.items())
            for word in facts.suppressions
        ],
        "next_due_at": _due(state),
    }


def _traits(state: ProfileState) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for name in sorted({name for facts in state.facts.values() for name in facts.traits}):
        value = trait_value(state, name)
        if value is None:
            continue
        identifier, trait = _origin(state.facts, name, value)
        told.append(
            {
                "name": name,
                "value": value,
                "identifier": identifier,
                "source": trait.source,
                "messageId": trait.message_id,
                "at": format_instant(trait.at),
            }
        )
    return told


def _origin(facts: dict[str, Facts], name: str, value: Any) -> tuple[str, Trait]:
    """Under which identifier the value that stands was said, and by what event."""
    return max(
        ((identifier, each.traits[name]) for identifier, each in facts.items() if name in each.traits),
        key=lambda found: (found[1].value == value, found[1].at, found[1].source, found[1].message_id),
    )


def _due(state: ProfileState) -> str | None:
    try:
        return format_instant(state.next_due_at)
    except OverflowError:
        return None
