"""What a home changes at the claim: a cap on the home, one letter per home, and the question after a death.

Rules of the home act when a delivery is claimed, never in a profile's fold, so that no profile waits for another. What
they see is `homes.py`; what they answer becomes a step of the row in `ledger.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from innkeeper.decisions.gates.cap import concerns, period_start
from innkeeper.decisions.policy import Bereavement, Cap, Policies
from innkeeper.kernel.time import Instant, format_duration
from innkeeper.store.homes import Death, Homes

ASK, CAP, ONE_LETTER, BEREAVEMENT = "ask_bereavement", "household_cap", "one_letter_per_home", "bereavement"


class Letter(NamedTuple):
    """What the rules look at of a row of the ledger."""

    subject: str
    message: str
    channel: str
    purpose: str
    kind: str
    released: bool


class Refusal(NamedTuple):
    """That a row may not go: `held` until somebody answers, or the end that it has; with what was seen of the home."""

    state: str
    reason: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeRules:
    """The declared rules of homes.

    Attributes:
        caps: Those that count by household.
        one_per_home: The messages of which one member is enough.
        zone: In which calendar periods are counted: a home has one, its members may differ.
    """

    caps: tuple[Cap, ...] = ()
    one_per_home: Collection[str] = ()
    bereavement: Bereavement = field(default_factory=Bereavement)
    zone: str = "UTC"

    @staticmethod
    def of(policies: Policies, one_per_home: Collection[str], zone: str) -> HomeRules:
        """The rules of a strategy."""
        return HomeRules(
            caps=policies.home_caps, one_per_home=frozenset(one_per_home), bereavement=policies.bereavement, zone=zone
        )

    @property
    def count(self) -> bool:
        """Whether anything is counted by home; the question after a death needs no declaration."""
        return bool(self.caps or self.one_per_home)

    def refusal(self, letter: Letter, at: Instant, homes: Homes) -> Refusal | None:
        """Why a letter may not go to its home at an instant; None: it may."""
        household = homes.of(letter.subject, at)
        if household is None:
            return None
        members = homes.members(household, at)
        others = [member for member in members if member != letter.subject]
        facts: dict[str, Any] = {"household": household, "members": len(members)}
        return (
            self._bereaved(letter, at, homes, facts, others)
            or self._second(letter, at, homes, facts, others)
            or self._capped(letter, at, homes, facts, members)
        )

    def _bereaved(
        self, letter: Letter, at: Instant, homes: Homes, facts: dict[str, Any], others: list[str]
    ) -> Refusal | None:
        waits = self.bereavement.purposes
        if letter.released or letter.kind == "transactional" or not {letter.purpose, letter.kind} & set(waits):
            return None
        deaths: list[Death] = homes.deaths(others, at)
        if not deaths:
            return None
        answer = homes.answer(facts["household"], deaths[0].at, at)
        if answer:
            return None
        facts = facts | {"deceased": deaths[0].subject}
        if answer is False:
            return Refusal("cancelled", BEREAVEMENT, facts)
        asked = homes.ask(facts["household"], deaths[0].subject, at)
        return Refusal("held", ASK, facts | {"queue": self.bereavement.queue, "ask": asked})

    def _second(
        self, letter: Letter, at: Instant, homes: Homes, facts: dict[str, Any], others: list[str]
    ) -> Refusal | None:
        if letter.message not in self.one_per_home or letter.kind == "transactional":
            return None
        first = homes.has_letter(others, letter.message, at)
        return None if first is None else Refusal("capped", ONE_LETTER, facts | {"has_it": first})

    def _capped(
        self, letter: Letter, at: Instant, homes: Homes, facts: dict[str, Any], members: list[str]
    ) -> Refusal | None:
        for cap in self.caps:
            if not concerns(cap, letter.purpose, letter.kind, letter.channel) or letter.kind != "marketing":
                continue
            after = at - cap.per if cap.calendar is None else period_start(at, cap.calendar, self.zone) - 1
            sent = homes.sent(members, after, at, cap.purpose, cap.channel)
            if len(sent) >= cap.at_most:
                period = cap.calendar or format_duration(cap.per)
                counted = {"count": len(sent), "at_most": cap.at_most, "per": period, "mode": cap.mode}
                return Refusal("capped", CAP, facts | counted | {"messages": [message for _, message in sent[-5:]]})
        return None
