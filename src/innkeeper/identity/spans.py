"""Spans: who has a browser or a device when. A function of the set of claims on it.

The first claimant has it from the beginning; every later claim hands it over from its instant on. Kept are the *turns*:
claims before which somebody else had it. Next in the flow: `store/identity.py`, which keeps them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from innkeeper.identity.evidence import Evidence
from innkeeper.kernel.time import FOREVER, Instant

#: Before every instant.
ALWAYS: Instant = -(2**62)


class Turn(NamedTuple):
    """From this claim on the identifier is *claimant*'s, until the next turn; in the order of claims.

    Attributes:
        reason: Why the claims of this claimant count for nothing here; empty when they count.
    """

    at: Instant
    source: str
    message_id: str
    claimant: str
    seq: int = 0
    reason: str = ""

    @property
    def key(self) -> tuple[Instant, str, str, str]:
        """Its place in the order of claims: one event may say two, by two claimants."""
        return self[:4]


class Span(NamedTuple):
    """A stretch of time [since, until) in which an identifier is *claimant*'s."""

    since: Instant
    until: Instant
    claimant: str


def turns_of(claims: Iterable[Evidence]) -> list[Turn]:
    """The turns of one identifier, from all claims on it."""
    turns: list[Turn] = []
    for claim in sorted(claims):
        if not turns or turns[-1].claimant != claim.b:
            turns.append(Turn(*claim.key, claim.b, claim.seq))
    return turns


def is_new(turns: Sequence[Turn], claim: Evidence) -> bool:
    """Whether a claim changes the turns: somebody else had the identifier before it, or nobody."""
    last = before(turns, claim)
    return last is None or last.claimant != claim.b


def put(turns: list[Turn], claim: Evidence, reason: str) -> None:
    """Put a new claim into the turns.

    Exact unless the turn that it falls into was claimed once more by its own claimant after it: then `turns_of` anew.
    """
    place = bisect_right(turns, (*claim.key, claim.b), key=lambda turn: turn.key)
    if place < len(turns) and turns[place].claimant == claim.b:
        del turns[place]
    turns.insert(place, Turn(*claim.key, claim.b, claim.seq, reason))


def before(turns: Sequence[Turn], claim: Evidence) -> Turn | None:
    """The turn that a claim falls into; None before all."""
    place = bisect_right(turns, (*claim.key, claim.b), key=lambda turn: turn.key)
    return turns[place - 1] if place else None


def spans(turns: Iterable[Turn]) -> list[Span]:
    """The stretches of an identifier by the turns that count: they cover all of time. Empty when nobody has it."""
    made: list[Span] = []
    for turn in turns:
        if turn.reason or (made and made[-1].claimant == turn.claimant):
            continue
        if made:
            made[-1] = made[-1]._replace(until=turn.at)
        made.append(Span(turn.at if made else ALWAYS, FOREVER, turn.claimant))
    return [span for span in made if span.since < span.until]


def owner_at(stretches: Sequence[Span], at: Instant) -> str | None:
    """Whose an identifier is at an instant; None when it was never claimed."""
    for span in reversed(stretches):
        if span.since <= at:
            return span.claimant
    return None


def within_limit(firsts: Iterable[tuple[tuple[Instant, str, str, str], str]], limit: int) -> set[str]:
    """Of the identifiers that one claims, with the key of the first claim, those that are too many."""
    return {identifier for _, identifier in sorted(firsts)[limit:]}
