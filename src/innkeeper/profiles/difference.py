"""How the profiles of one world differ from those of another: what has to be said when the second becomes real.

Pure. The profiles of a group are compared together, because identifiers may stand in other profiles afterwards. Who
plays the second world is `runtime/as_if.py`; who makes it real is `runtime/revise.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from innkeeper.events.types import ENGINE_SOURCE
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import Copy, Enrollment, Facts, ProfileState, Trait, used_key, used_owner
from innkeeper.profiles.ties import VERSION

States = Mapping[str, ProfileState]
#: By subject: how many inputs it had, and how many enrollments by `used_key`.
Numbers = dict[str, tuple[int, dict[str, int]]]
_canonical = msgspec.msgpack.Encoder(order="deterministic")


class Difference(msgspec.Struct, kw_only=True):
    """What is different for one profile.

    Attributes:
        entered, left: Audiences.
        before, stage: The stage in the one world and in the other.
        began, ended, moved: Enrollments that are open only in the second world, only in the first, or at another step.
        words: Whether a consent, a suppression, a home or a death differs.
    """

    entered: list[str] = []
    left: list[str] = []
    before: str | None = None
    stage: str | None = None
    began: list[Enrollment] = []
    ended: list[Enrollment] = []
    moved: list[Enrollment] = []
    words: bool = False


def differences(before: States, after: States) -> dict[str, Difference]:
    """What is different, by subject, for everybody of either world who is not the same in both.

    The numbers of inputs and enrollments do not count: they only name things.
    """
    still_open = {one.id for state in after.values() for one in state.enrollments}
    holders: dict[str, list[ProfileState]] = {}
    for state in before.values():
        for identifier in names_of(state):
            holders.setdefault(identifier, []).append(state)
    found: dict[str, Difference] = {}
    for subject in sorted(before.keys() | after.keys()):
        there = after.get(subject)
        if there is not None and subject in before and _comparable(there) == _comparable(before[subject]):
            continue
        if there is None and any(subject in names_of(one) for one in after.values()):
            continue  # it is part of another profile, which says what is different
        state = ProfileState(subject) if there is None else there
        sources = _distinct(one for name in (subject, *state.facts) for one in holders.get(name, ()))
        own = [one for one in sources if one.subject == subject or one.subject not in after]
        found[subject] = _difference(state, sources, own, still_open, after)
    return found


def _difference(
    state: ProfileState, sources: list[ProfileState], own: list[ProfileState], still_open: set[str], after: States
) -> Difference:
    # Who was a member together and still is alone has not entered, and leaves only what came about under its own.
    # Who was a profile already has entered what only another one was in whose browser it has now.
    were = {
        name
        for one in (own if state.subject in {each.subject for each in own} else sources)
        for name in one.memberships
    }
    gone = {
        name for one in own for name in one.memberships if one.subject == state.subject or one.subject in state.facts
    }
    gone |= {name for one in sources for name, each in one.memberships.items() if each.identifier in state.facts}
    opened = {one.id: one for source in sources for one in source.enrollments}
    stage = next((one.stage for one in own or sources), None)
    return Difference(
        entered=sorted(state.memberships.keys() - were), left=sorted(gone - state.memberships.keys()), before=stage,
        stage=state.stage, began=[one for one in state.enrollments if one.id not in opened],
        ended=[one for source in own for one in source.enrollments if one.id not in still_open],
        moved=[one for one in state.enrollments if one.id in opened and one.step != opened[one.id].step],
        words=any(_words(sources, name) != _words([state], name) for name in state.facts),
    )  # fmt: skip


def _words(states: list[ProfileState], identifier: str) -> object:
    found = [state.facts[identifier] for state in states if identifier in state.facts]
    return [(facts.consents, facts.suppressions, facts.households, facts.death) for facts in found]


def _distinct(states: Iterable[ProfileState]) -> list[ProfileState]:
    return list({state.subject: state for state in states}.values())


class Said(NamedTuple):
    """A `Traits Updated`: under which identifier, when, and which traits (JSON)."""

    identifier: str
    at: Instant
    traits: str


def agreeing(made: Mapping[str, Said], said: Mapping[str, Said], group_of: Mapping[str, int]) -> dict[str, str]:
    """By the messageId that the second world would give, the one in the log that says the same.

    Only where a group says the same things in the same order at an instant: of two values the last one counts.
    """
    ours, theirs = _by_instant(made, group_of), _by_instant(said, group_of)
    found: dict[str, str] = {}
    for place, ids in ours.items():
        others = theirs.get(place, [])
        if [made[one] for one in ids] == [said[one] for one in others]:
            found.update(zip(ids, others, strict=True))
    return found


def _by_instant(said: Mapping[str, Said], group_of: Mapping[str, int]) -> dict[tuple[int, Instant], list[str]]:
    found: dict[tuple[int, Instant], list[str]] = {}
    for message_id in sorted(said):
        one = said[message_id]
        found.setdefault((group_of[one.identifier], one.at), []).append(message_id)
    return found


def corrections(state: ProfileState, agreed: Mapping[str, str]) -> list[tuple[Said, list[Trait]]]:
    """Traits of the second world that its journeys have set and that were never said, by what has to be said.

    What was said gets the messageId that it has in the log (*agreed*). The rest comes in the order in which that world
    has said it, under whatever identifier: of two values of an instant the last one counts.
    """
    values: dict[tuple[Instant, str, str], list[tuple[str, Trait]]] = {}
    for identifier, facts in state.facts.items():
        for name, trait in sorted(_words_of(facts), key=lambda each: each[0]):
            if trait.source != ENGINE_SOURCE:
                continue
            if trait.message_id in agreed:
                trait.message_id = agreed[trait.message_id]
            else:
                values.setdefault((trait.at, trait.message_id, identifier), []).append((name, trait))
    return [
        (Said(identifier, at, dumps({name: trait.value for name, trait in named})), [trait for _, trait in named])
        for (at, _, identifier), named in sorted(values.items())
    ]


def _words_of(facts: Facts) -> Iterator[tuple[str, Trait]]:
    """Every word on a trait that is kept: the newest, those of other sources, the first."""
    yield from facts.traits.items()
    for name, others in facts.others.items():
        yield from ((name, each) for each in others)
    yield from facts.firsts.items()


def inputs_of(states: States, floors: Numbers) -> dict[str, int]:
    """How many inputs each subject has had, also of those that are part of another profile or of none."""
    inputs = {name: number for name, (number, _) in floors.items()}
    for state in states.values():
        own = {name: facts.inputs for name, facts in state.facts.items() if facts.inputs}
        for name, number in (*own.items(), *state.numbers.items(), (state.subject, state.inputs)):
            inputs[name] = max(inputs.get(name, 0), number)
    return inputs


def carry_numbers(before: States, after: States, floors: Numbers) -> Numbers:
    """Let the profiles of the second world go on with the numbers of the first: no name is used twice.

    *floors*: how many inputs, and enrollments by `used_key`, subjects had that are in neither world. What comes back is
    the same for those who are in the second no more.
    """
    inputs = inputs_of(before, floors)
    used: dict[str, int] = {}
    for _, more in floors.values():
        used.update(more)
    for state in before.values():
        used.update(state.used)
        for key, visits in state.visits.items():
            used.update((used_key(visit.identifier, key), visit.count) for visit in visits)
    by_identifier: dict[str, dict[str, int]] = {}
    for name, number in used.items():
        by_identifier.setdefault(used_owner(name), {})[name] = number
    for state in after.values():
        _carry(state, inputs, by_identifier)
    left = (inputs.keys() | by_identifier.keys()) - {name for state in after.values() for name in names_of(state)}
    return {name: (inputs.get(name, 0), by_identifier.get(name, {})) for name in sorted(left)}


def _carry(state: ProfileState, inputs: dict[str, int], by_identifier: dict[str, dict[str, int]]) -> None:
    state.inputs = inputs.get(state.subject, 0)
    for facts in state.facts.values():
        facts.inputs = 0
    names = names_of(state)
    state.numbers = {name: inputs[name] for name in sorted(names) if name != state.subject and inputs.get(name)}
    state.used = {}
    for name in sorted(names):
        state.used.update(by_identifier.get(name, {}))
    for key, visits in state.visits.items():
        for visit in visits:
            visit.count = max(visit.count, state.used.pop(used_key(visit.identifier, key), 0))


def names_of(state: ProfileState) -> set[str]:
    """Everything that a profile has, or has had a part, under."""
    return {state.subject, *state.facts, *state.identifiers, *state.numbers}


def _comparable(state: ProfileState) -> bytes:
    copy = msgspec.structs.replace(
        state, inputs=0, last_at=0, used={}, numbers={},
        facts={name: _plain(facts) for name, facts in state.facts.items()},
        objects={name: shelf for name, shelf in state.objects.items() if shelf},
        accounts={id_: unnumbered(each) for id_, each in state.accounts.items()},
        visits={
            key: [
                msgspec.structs.replace(one, count=0, said_at=one.owned_at)
                for one in sorted(visits, key=lambda one: one.identifier)
            ]
            for key, visits in state.visits.items()
        },
        enrollments=[
            msgspec.structs.replace(one, said_at=one.owned_at)
            for one in sorted(state.enrollments, key=lambda one: one.id)
        ],
        # An older Innkeeper has not noted whose their enrollments are.
        reservations=[
            msgspec.structs.replace(one, enrolled_at=None)
            for one in sorted(state.reservations, key=lambda one: one.delivery_id)
        ],
    )  # fmt: skip
    return _canonical.encode(copy)


def unnumbered(copy: Copy) -> Copy:
    """A copy of an account without the number of the account's last input."""
    return msgspec.structs.replace(copy, view={name: value for name, value in copy.view.items() if name != VERSION})


def same_account(one: ProfileState, other: ProfileState) -> bool:
    """Whether an account is the same in both worlds."""
    return _comparable(one) == _comparable(other)


def _plain(facts: Facts) -> Facts:
    def unnamed(one: Trait) -> Trait:
        return msgspec.structs.replace(one, message_id="")

    return msgspec.structs.replace(
        facts, inputs=0, traits={name: unnamed(one) for name, one in facts.traits.items()},
        firsts={name: unnamed(one) for name, one in facts.firsts.items()},
        others={name: [unnamed(one) for one in words] for name, words in facts.others.items() if words},
    )  # fmt: skip
