"""Where each trait of a profile comes from: the words that made its value, those that lost, and why.

The rules are `audiences/merges.py`; this says in words what they decided. Next in the flow: `portrait.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from innkeeper.audiences.merges import Merges, TraitRule, Word, added, settle, size
from innkeeper.profiles.state import Facts, ProfileState
from innkeeper.profiles.traits import said
from innkeeper.profiles.verified import address_key

#: Traits that are addresses, which can be verified.
ADDRESSES = frozenset({"email", "phone"})
#: By source, the namespaces that it verifies.
Verifies = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A word with the identifier it was said under; *why* it lost, empty when it counts."""

    word: Word
    identifier: str
    trust: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """A trait's value and everything that was said on it.

    Attributes:
        made_by: The words that made the value; several only for `add`.
        lost: The other words that are known, newest first.
        verified: For an address: by whom or what it was shown to be the person's own; None: it was not.
    """

    name: str
    value: Any
    rule: TraitRule
    made_by: tuple[Spoken, ...]
    lost: tuple[Spoken, ...]
    verified: str | None = None


def provenance(state: ProfileState, name: str, merges: Merges, verifies: Verifies) -> Provenance | None:
    """Where a trait comes from; None when it has no value."""
    every = said(state, name)
    outcome = settle(name, [each for _, each in every], merges)
    if outcome.value is None:
        return None
    rule = merges.rules.get(name) or TraitRule()
    won: list[Spoken] = []
    lost: list[Spoken] = []
    for identifier, each in every:
        words = [each.newest, *each.others]
        if each.first is not None and each.first not in words:
            words.append(each.first)
        for word in words:
            trust = merges.trust_of(word.source)
            if word in outcome.words:
                won.append(Spoken(word=word, identifier=identifier, trust=trust))
            else:
                stands = word is each.newest
                why = _why(word, rule, outcome.words[0], merges, newest=stands)
                lost.append(Spoken(word=word, identifier=identifier, trust=trust, why=why))
    won.sort(key=lambda one: one.identifier)
    lost.sort(key=lambda one: (-one.word.at, one.word.source, one.word.message_id))
    return Provenance(
        name=name, value=outcome.value, rule=rule, made_by=tuple(won), lost=tuple(lost),
        verified=_verified(state, name, outcome.value, merges, verifies) if name in ADDRESSES else None,
    )  # fmt: skip


def _why(word: Word, rule: TraitRule, winner: Word, merges: Merges, *, newest: bool) -> str:
    """Why a word does not count."""
    match rule.merge:
        case "newest":
            return "older"
        case "oldest":
            return "taken back" if word.value is None else "later"
        case "trusted":
            mine, best = merges.trust_of(word.source), merges.trust_of(winner.source)
            return f"less trusted ({mine} against {best})" if mine < best else "older"
        case "add":
            return "the same customer id said another value later" if not newest else _no_number(word)
        case _:
            if not newest:
                return "the same customer id said another value later"
            if size(word.value, rule) is None:
                return "no instant" if rule.type == "instant" else "no number"
            if size(word.value, rule) == size(winner.value, rule):
                return "as much, older"
            return "less" if rule.merge == "max" else "more"


def _no_number(word: Word) -> str:
    return "no number" if added(word.value) is None else "older"


def _verified(state: ProfileState, name: str, value: Any, merges: Merges, verifies: Verifies) -> str | None:
    """By what an address was shown to be the person's own."""
    if not isinstance(value, str):
        return None
    key = address_key(name, value)
    for facts in state.facts.values():
        told = _teller(facts, name, key, merges, verifies)
        if told is not None:
            return told
    words = [each for facts in state.facts.values() for each in facts.verified.get(key, ())]
    trusted = [each for each in words if merges.trust_of(each.source) > 0]
    if not trusted:
        return None
    first = min(trusted, key=lambda each: (each.at, each.source, each.message_id))
    return f"{first.event}, {first.source}"


def _teller(facts: Facts, name: str, key: str, merges: Merges, verifies: Verifies) -> str | None:
    newest = facts.traits.get(name)
    words = [] if newest is None else [newest, *facts.others.get(name, ())]
    for word in words:
        verified = name in verifies.get(word.source, ()) and merges.trust_of(word.source) > 0
        vouches = verified and isinstance(word.value, str)
        if vouches and address_key(name, word.value) == key:
            return f"the source {word.source}"
    return None
