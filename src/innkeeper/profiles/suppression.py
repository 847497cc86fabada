"""Suppression: addresses that must not be written to, per channel or as a whole, whatever the consent says."""

from __future__ import annotations

from innkeeper.events.types import Event
from innkeeper.profiles.home import DECEASED, death
from innkeeper.profiles.state import Facts, ProfileState, SuppressionWord


def suppression_of(event: Event) -> SuppressionWord | None:
    """The word that an event says: `Suppressed`, `Unsuppressed`, a complaint or a hard bounce; None for any other."""
    properties = event.properties
    given = properties.get("channel")
    channel = given if isinstance(given, str) and given else None
    reason = properties.get("reason")
    reason = reason if isinstance(reason, str) else ""
    match event.name:
        case "Suppressed":
            return SuppressionWord(channel, True, event.timestamp, reason)
        case "Unsuppressed":
            return SuppressionWord(channel, False, event.timestamp, reason)
        case "Message Complained":
            return SuppressionWord(channel, True, event.timestamp, reason or "complaint")
        case "Message Bounced" if "hard" in (properties.get("type"), properties.get("kind")):
            return SuppressionWord(channel, True, event.timestamp, reason or "hard_bounce")
    return None


def take_suppression(facts: Facts, word: SuppressionWord) -> bool:
    """Fold a word; whether it is now the latest on its channel."""
    for position, old in enumerate(facts.suppressions):
        if old.channel == word.channel:
            if _rank(word) <= _rank(old):
                return False
            facts.suppressions[position] = word
            return True
    facts.suppressions.append(word)
    facts.suppressions.sort(key=lambda each: each.channel or "")
    return True


def _rank(word: SuppressionWord) -> tuple[int, bool, str]:
    return word.at, word.suppressed, word.reason


def suppressed(state: ProfileState, channel: str) -> SuppressionWord | None:
    """The word that suppresses a channel; None when it is free. One suppressed identifier suppresses the profile.

    A death closes every channel, whatever was said of one since.
    """
    died = death(state)
    if died is not None:
        return SuppressionWord(None, True, died.at, DECEASED)
    for facts in state.facts.values():
        words = [word for word in facts.suppressions if word.channel in (None, channel)]
        latest = max(words, key=_rank, default=None)
        if latest is not None and latest.suppressed:
            return latest
    return None
