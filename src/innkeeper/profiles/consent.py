"""Consent: the latest word within one identifier, the stricter across identifiers.

`Unsubscribed` is a withdrawal; one that names no purpose is of everything, as with the other words. Double opt-in:
`Double Opt-In Confirmed` gives consent and confirms it, until the next withdrawal; what it takes for a purpose that
needs it, and whether one needs a word at all, is the consent gate's matter (`decisions/gates/consent.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.events.types import Event
from innkeeper.kernel.time import BEGINNING, Instant
from innkeeper.profiles.state import ConsentWord, Facts, ProfileState

_CONFIRMED = "Double Opt-In Confirmed"
#: Events that say a word on consent, and whether they give it; None: they only ask for it.
CONSENT_EVENTS: dict[str, bool | None] = {
    "Consent Given": True, "Consent Withdrawn": False, "Unsubscribed": False, _CONFIRMED: True,
    "Double Opt-In Requested": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What holds for one purpose, channel and topic.

    Attributes:
        given: Given, withdrawn, or None when nobody has said a word.
        at, identifier: When it was said, and under which identifier.
        confirmed: Whether it was confirmed (double opt-in) after the last withdrawal of any identifier.
        requested: Whether a confirmation was asked for after that.
    """

    given: bool | None
    at: Instant | None = None
    identifier: str | None = None
    confirmed: bool = False
    requested: bool = False


def take_word(facts: Facts, event: Event) -> tuple[ConsentWord, bool, bool]:
    """Fold a consent event: the word on its subject, whether it is the latest now, whether its marks have changed.

    Marks are the confirmation and the withdrawal.
    """
    properties = event.properties
    purpose, channel, topic = (_text(properties.get(part)) for part in ("purpose", "channel", "topic"))
    scope = purpose, channel, topic
    word = next((each for each in facts.consents if (each.purpose, each.channel, each.topic) == scope), None)
    if word is None:
        word = ConsentWord(purpose, channel, topic, None, BEGINNING)
        facts.consents.append(word)
        facts.consents.sort(key=lambda each: (each.purpose or "", each.channel or "", each.topic or ""))
    marks = word.confirmed_at, word.withdrawn_at
    _mark(word, event)
    given, proof = CONSENT_EVENTS[event.name], _text(properties.get("proof"))
    newer = given is not None and (
        word.given is None or _rank(event.timestamp, given, proof) > _rank(word.at, word.given, word.proof)
    )
    if newer:
        word.given, word.at, word.proof = given, event.timestamp, proof
    return word, newer, marks != (word.confirmed_at, word.withdrawn_at)


def _mark(word: ConsentWord, event: Event) -> None:
    at, given = event.timestamp, CONSENT_EVENTS[event.name]
    if given is None:
        word.requested_at = max(word.requested_at, at)
    elif not given:
        word.withdrawn_at = max(word.withdrawn_at, at)
    elif event.name == _CONFIRMED:
        proof, address = _text(event.properties.get("proof")), _text(event.properties.get("address"))
        mine = at, proof or "", address or ""
        if mine > (word.confirmed_at, word.confirmed_by or "", word.address or ""):
            word.confirmed_at, word.confirmed_by, word.address = at, proof, address


def _rank(at: Instant, given: bool, proof: str | None) -> tuple[Instant, bool, str]:
    # Of two words of one instant the withdrawal counts; the proof only makes the order total.
    return at, not given, proof or ""


def standing(state: ProfileState, purpose: str, channel: str, topic: str | None) -> Standing:
    """What holds for a purpose, channel and topic: a word applies where its own fields match or are empty."""
    best: ConsentWord | None = None
    spoken_by: str | None = None
    confirmed = requested = withdrawn = BEGINNING
    for identifier, facts in state.facts.items():
        words = [word for word in facts.consents if _applies(word, purpose, channel, topic)]
        for word in words:
            confirmed, withdrawn = max(confirmed, word.confirmed_at), max(withdrawn, word.withdrawn_at)
            requested = max(requested, word.requested_at)
            if word.given is False:
                withdrawn = max(withdrawn, word.at)
        latest = _latest(words)
        if latest is not None and (best is None or (best.given and not latest.given)):
            best, spoken_by = latest, identifier
    return Standing(
        given=None if best is None else best.given, at=None if best is None else best.at, identifier=spoken_by,
        confirmed=confirmed > withdrawn, requested=requested > withdrawn,
    )  # fmt: skip


def _applies(word: ConsentWord, purpose: str, channel: str, topic: str | None) -> bool:
    return word.purpose in (None, purpose) and word.channel in (None, channel) and word.topic in (None, topic)


def _latest(words: list[ConsentWord]) -> ConsentWord | None:
    found: ConsentWord | None = None
    for word in words:
        if word.given is None:
            continue
        if found is None or _rank(word.at, word.given, word.proof) > _rank(found.at, bool(found.given), found.proof):
            found = word
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
