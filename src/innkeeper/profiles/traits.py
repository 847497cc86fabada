"""Traits: the words that are kept of each identifier, and the value that the declared rule makes of them.

Whatever the order of arrival, the same words are kept. A word on a trait with a retention ends at an instant; of the
words of one source the newest ends last, so what is left is what would have been kept without those that have ended.
The rules are `audiences/merges.py`; where a value comes from: `provenance.py`. Next in the flow: `turn.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from innkeeper.audiences.merges import NEWEST, Merges, Said, newer, settle
from innkeeper.audiences.types import MISSING
from innkeeper.events.reserved import is_reserved, without_reserved
from innkeeper.events.types import Event
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.profiles.state import Facts, ProfileState, Trait


def set_trait(
    facts: Facts, name: str, value: Any, at: Instant, source: str, message_id: str, merges: Merges, *,
    alone: bool = False,
) -> bool:  # fmt: skip
    """Keep a word on a trait under an identifier; whether what the profile has may have changed by it.

    *alone*: it is the profile's only identifier, so that the same value again changes nothing.
    """
    word = Trait(value, at, source, message_id)
    rule = merges.rules.get(name)
    old = facts.traits.get(name)
    if rule is not None and rule.merge == "oldest":
        _keep_first(facts, name, word)
    if old is None:
        # A removal changes something too: it may be newer than a value under another identifier.
        facts.traits[name] = word
        return True
    if old.source != source:
        return _keep_other(facts, name, old, word, alone) or rule is not None
    if not newer(word, old):
        return rule is not None
    facts.traits[name] = word
    return rule is not None or not (alone and _same(old, word))


def _same(a: Trait, b: Trait) -> bool:
    return type(a.value) is type(b.value) and bool(a.value == b.value)


def _keep_other(facts: Facts, name: str, newest: Trait, word: Trait, alone: bool) -> bool:
    """Keep a word of another source than the newest one's; whether what the profile has may have changed."""
    others = facts.others.setdefault(name, [])
    place = next((index for index, each in enumerate(others) if each.source == word.source), None)
    if place is not None and not newer(word, others[place]):
        return False
    kept = word
    if newer(word, newest):
        facts.traits[name], kept = word, newest
        if place is not None:
            del others[place]
            place = None
    if place is None:
        others.append(kept)
        others.sort(key=lambda each: each.source)
    else:
        others[place] = kept
    return kept is newest and not (alone and _same(newest, word))


def _keep_first(facts: Facts, name: str, word: Trait) -> None:
    old = facts.firsts.get(name)
    if word.value is not None and (old is None or newer(old, word)):
        facts.firsts[name] = word


def end_words(state: ProfileState, now: Instant, merges: Merges) -> list[str]:
    """Let go the words whose time is over; the traits that had such."""
    ended = []
    for facts in state.facts.values():
        for name in merges.kept.keys() & facts.traits.keys():
            words = [facts.traits[name], *facts.others.get(name, ())]
            left = [word for word in words if not merges.has_ended(name, word.at, now)]
            if len(left) == len(words):
                continue
            ended.append(name)
            if not left:
                # The newest of all words goes last.
                del facts.traits[name]
            facts.others.pop(name, None)
            if len(left) > 1:
                facts.others[name] = left[1:]
    return sorted(ended)


def next_end(state: ProfileState, merges: Merges) -> Instant:
    """When the next word ends."""
    return min(
        (
            word.at + length
            for facts in state.facts.values()
            for name, length in merges.kept.items()
            if name in facts.traits
            for word in (facts.traits[name], *facts.others.get(name, ()))
        ),
        default=FOREVER,
    )


def said(state: ProfileState, name: str) -> list[tuple[str, Said]]:
    """What each identifier of a profile has said on a trait, with the identifier."""
    return [
        (identifier, Said(facts.traits[name], facts.others.get(name, ()), facts.firsts.get(name)))
        for identifier, facts in state.facts.items()
        if name in facts.traits
    ]


def trait_value(state: ProfileState, name: str, merges: Merges) -> Any:
    """The value of a trait over the profile's identifiers; None when absent or removed."""
    if name in merges.rules:
        return settle(name, [each for _, each in said(state, name)], merges).value
    best: Trait | None = None
    for facts in state.facts.values():
        found = facts.traits.get(name)
        if found is not None and (best is None or newer(found, best)):
            best = found
    return None if best is None else best.value


def trait_at(state: ProfileState, path: tuple[str, ...], merges: Merges) -> Any:
    """The value at a dotted path of a trait; MISSING when absent or null."""
    value = trait_value(state, path[0], merges)
    for part in path[1:]:
        if not isinstance(value, dict):
            return MISSING
        value = value.get(part)
    return MISSING if value is None else value


def trait_names(state: ProfileState) -> list[str]:
    """The names on which something was said; states of earlier versions may hold reserved ones, which are left out."""
    return sorted({name for facts in state.facts.values() for name in facts.traits if not is_reserved(name)})


def all_traits(state: ProfileState, merges: Merges = NEWEST) -> dict[str, Any]:
    """All traits that have a value, by name."""
    values = {name: trait_value(state, name, merges) for name in trait_names(state)}
    return {name: value for name, value in values.items() if value is not None}


def refold_traits(facts: Facts, events: Iterable[Event], names: Iterable[str], merges: Merges) -> None:
    """Keep the words on some traits of one identifier anew, from all events that told them."""
    wanted = set(names)
    for name in wanted:
        facts.traits.pop(name, None)
        facts.others.pop(name, None)
        facts.firsts.pop(name, None)
    for event in events:
        told = without_reserved(event.traits)
        for name in wanted & told.keys():
            set_trait(facts, name, told[name], event.timestamp, event.source, event.message_id, merges)
