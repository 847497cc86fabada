"""One profile as JSON: who it is, what is known and from where, as `profile show` and the API tell it.

Where traits come from: `provenance.py`. What the store adds (journeys, messages, timeline): `runtime/customer.py`.
"""

from __future__ import annotations

from typing import Any

from innkeeper.audiences.merges import NEWEST, Merges
from innkeeper.kernel.ids import display_id
from innkeeper.kernel.time import Instant, format_instant
from innkeeper.profiles.home import death, household
from innkeeper.profiles.memories import memory_of
from innkeeper.profiles.provenance import ADDRESSES, Provenance, Spoken, Verifies, provenance
from innkeeper.profiles.reading import held_of
from innkeeper.profiles.state import ConsentWord, MemoryWord, ProfileState
from innkeeper.profiles.ties import held_accounts
from innkeeper.profiles.traits import trait_names
from innkeeper.profiles.zone import zone_of


def portrait(
    state: ProfileState, workspace_zone: str, at: Instant, merges: Merges = NEWEST, verifies: Verifies | None = None
) -> dict[str, Any]:
    """What is known of a profile at an instant, with the source of each trait.

    *verifies*: by source, the namespaces of the addresses that it verifies.
    """
    zone = zone_of(state, workspace_zone, merges)
    died = death(state)
    return {
        "id": display_id(state.subject),
        "at": format_instant(at),
        "identifiers": sorted({state.subject, *state.facts, *state.identifiers}),
        "zone": zone.name,
        "stage": state.stage,
        "stage_since": None if state.stage is None else format_instant(state.stage_at),
        "parked": state.parked,
        "traits": _traits(state, merges, verifies or {}),
        "memories": _memories(state),
        "audiences": [
            {"name": name, "since": format_instant(membership.at), "identifier": membership.identifier}
            for name, membership in sorted(state.memberships.items())
        ],
        "consents": _consents(state),
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
        "objects": _objects(state),
        "accounts": _accounts(state),
        "household": household(state),
        "deceased_at": None if died is None else format_instant(died.at),
        "next_due_at": _due(state),
    }


def _accounts(state: ProfileState) -> list[dict[str, Any]]:
    """The accounts that the profile is a member of, the newest first; the first is the one that `account.x` reads."""
    return [
        {"id": held.account, "role": held.role, "since": format_instant(held.stamp[0])} for held in held_accounts(state)
    ]


def _objects(state: ProfileState) -> list[dict[str, Any]]:
    """The things that the profile has a role in, with the journeys that a date of theirs will begin."""
    return [
        {
            "type": type_,
            "id": id_,
            "status": copy.view["status"],
            "roles": list(held_of(copy).roles),
            "dates": {name: format_instant(at) for name, at in copy.view["dates"].items() if at is not None},
            "zones": {name: copy.view["zones"][name] for name, at in copy.view["dates"].items() if at is not None},
            "properties": copy.view["properties"],
            "planned": [
                {"journey": plan.journey, "at": format_instant(plan.target)}
                for _, plan in sorted(state.plans.items())
                if (plan.type, plan.key) == (type_, id_) and not plan.reached
            ],
        }
        for type_, held in sorted(state.objects.items())
        for id_, copy in sorted(held.items())
    ]


def _consents(state: ProfileState) -> list[dict[str, Any]]:
    return [
        {
            "identifier": identifier,
            "purpose": word.purpose,
            "channel": word.channel,
            "topic": word.topic,
            "given": word.given,
            "at": None if word.given is None else format_instant(word.at),
            "proof": word.proof,
            "double_opt_in": _double_opt_in(word),
            "address": word.address,
        }
        for identifier, facts in sorted(state.facts.items())
        for word in facts.consents
    ]


def _double_opt_in(word: ConsentWord) -> dict[str, Any] | None:
    """How far a double opt-in has come: `requested` or `confirmed`, since when and by what; None: there was none."""
    if word.confirmed_at > word.withdrawn_at:
        return {"state": "confirmed", "at": format_instant(word.confirmed_at), "proof": word.confirmed_by}
    if word.requested_at > word.withdrawn_at:
        return {"state": "requested", "at": format_instant(word.requested_at), "proof": None}
    return None


def _traits(state: ProfileState, merges: Merges, verifies: Verifies) -> list[dict[str, Any]]:
    found = (provenance(state, name, merges, verifies) for name in trait_names(state))
    return [_trait(each) for each in found if each is not None]


def _trait(told: Provenance) -> dict[str, Any]:
    newest = max(told.made_by, key=lambda each: (each.word.at, each.word.source, each.word.message_id))
    made = {
        "name": told.name, "value": told.value, **_spoken(newest), "merge": told.rule.merge,
        "others": [_spoken(each) | {"value": each.word.value, "why": each.why} for each in told.lost],
    }  # fmt: skip
    if len(told.made_by) > 1:
        made["parts"] = [_spoken(each) | {"value": each.word.value} for each in told.made_by]
    if told.name in ADDRESSES:
        made |= {"verified": told.verified is not None, "verified_by": told.verified}
    return made


def _spoken(each: Spoken) -> dict[str, Any]:
    return {
        "identifier": each.identifier, "source": each.word.source, "trust": each.trust,
        "messageId": each.word.message_id, "at": format_instant(each.word.at),
    }  # fmt: skip


def _memories(state: ProfileState) -> list[dict[str, Any]]:
    told = []
    for about in sorted({about for facts in state.facts.values() for about in facts.memories}):
        found = memory_of(state, about)
        if found is None:
            continue
        word, explicit, identifier = found
        told.append(
            {"about": about, "explicit": explicit, "identifier": identifier, **_memory(word)}
            | {"others": _other_words(state, about, word)}
        )
    return told


def _memory(word: MemoryWord) -> dict[str, Any]:
    return {
        "value": word.value, "source": word.source, "at": format_instant(word.at), "by": word.by, "note": word.note,
        "messageId": word.message_id,
    }  # fmt: skip


def _other_words(state: ProfileState, about: str, standing: MemoryWord) -> list[dict[str, Any]]:
    """The words about a thing that do not stand: older, or only noticed where something was said."""
    others = []
    for facts in state.facts.values():
        memory = facts.memories.get(about)
        for word, explicit in ((memory.explicit, True), (memory.inferred, False)) if memory is not None else ():
            if word is not None and word is not standing:
                others.append((word, explicit))
    others.sort(key=lambda one: (-one[0].at, one[0].source, one[0].message_id))
    return [_memory(word) | {"explicit": explicit} for word, explicit in others]


def _due(state: ProfileState) -> str | None:
    try:
        return format_instant(state.next_due_at)
    except OverflowError:
        return None
