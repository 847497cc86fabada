"""Consent: the latest word within one identifier, the stricter across identifiers.

`Unsubscribed` is a withdrawal; one that names no purpose is of everything, as with the other words. Whether a purpose
needs a word at all is the consent gate's matter (`decisions/gates/consent.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.events.types import Event
from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import ConsentWord, Facts, ProfileState

#: Events that say a word on consent, and whether they give it.
CONSENT_EVENTS = {"Consent Given": True, "Consent Withdrawn": False, "Unsubscribed": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What holds for one purpose, channel and topic: given, withdrawn, or None when nobody has said a word."""

    given: bool | None
    at: Instant | None = None
    identifier: str | None = None


def take_word(facts: Facts, event: Event) -> ConsentWord | None:
    """Fold a consent event; the word if it is now the latest on its subject, else None."""
    properties = event.properties
    word = ConsentWord(
        _text(properties.get("purpose")), _text(properties.get("channel")), _text(properties.get("topic")),
        CONSENT_EVENTS[event.name], event.timestamp, _text(properties.get("proof")),
    )  # fmt: skip
    for position, old in enumerate(facts.consents):
        if (old.purpose, old.channel, old.topic) == (word.purpose, word.channel, word.topic):
            if _rank(word) <= _rank(old):
                return None
            facts.consents[position] = word
            return word
    facts.consents.append(word)
    facts.consents.sort(key=lambda each: (each.purpose or "", each.channel or "", each.topic or ""))
    return word


def _rank(word: ConsentWord) -> tuple[Instant, bool, str]:
    # Of two words of one instant the withdrawal counts; the proof only makes the order total.
    return word.at, not word.given, word.proof or ""


def standing(state: ProfileState, purpose: str, channel: str, topic: str | None) -> Standing:
    """What holds for a purpose, channel and topic: a word applies where its own fields match or are empty."""
    best: Standing = Standing(given=None)
    for identifier, facts in state.facts.items():
        word = _latest(facts, purpose, channel, topic)
        if word is not None and (best.given is None or (best.given and not word.given)):
            best = Standing(given=word.given, at=word.at, identifier=identifier)
    return best


def _latest(facts: Facts, purpose: str, channel: str, topic: str | None) -> ConsentWord | None:
    found: ConsentWord | None = None
    for word in facts.consents:
        applies = word.purpose in (None, purpose) and word.channel in (None, channel) and word.topic in (None, topic)
        if applies and (found is None or _rank(word) > _rank(found)):
            found = word
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
