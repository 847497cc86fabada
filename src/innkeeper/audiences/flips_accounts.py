"""Accounts through time, for flips: what each was when, and who was a member of it by which word.

The flips of an audience of accounts are those of `flips.py` over the events that count for each account; which these
are follows from the words up to each event's own timestamp, so that no later word changes it. Of a profile they say
what its accounts were at every instant: their traits, and the audiences of accounts that they were in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from innkeeper.audiences.types import Held
from innkeeper.events.reserved import without_reserved
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import BEGINNING, Instant

Stamp = tuple[Instant, str, str]


class Word(NamedTuple):
    """What an event says on its sender's membership; None: nothing. An empty `role` takes it away."""

    account: str
    joined: bool | None
    role: str | None


class Tie(NamedTuple):
    """What the events of one identifier say on its membership of one account, each with how new it is."""

    joined: bool = False
    stamp: Stamp = (BEGINNING, "", "")
    role: str = ""
    role_stamp: Stamp = (BEGINNING, "", "")

    def after(self, word: Word, stamp: Stamp) -> Tie:
        """The tie with one more word."""
        tie = self
        if word.joined is not None and stamp > tie.stamp:
            tie = tie._replace(joined=word.joined, stamp=stamp)
        if word.role is not None and stamp > tie.role_stamp:
            tie = tie._replace(role=word.role, role_stamp=stamp)
        return tie


class Past:
    """What all accounts were at every instant.

    Args:
        words: By source and messageId, what an event says on its sender's membership.
        told: What was said on accounts' traits, in the order of time: account, timestamp, JSON.
        audiences: By audience of accounts, its flips from the beginning on, in the order of time: instant, account.
    """

    def __init__(
        self, words: Mapping[tuple[str, str], Word], told: Iterable[tuple[str, Instant, str]],
        audiences: Mapping[str, Iterable[tuple[Instant, str]]],
    ) -> None:  # fmt: skip
        self.words = words
        self._traits: dict[str, tuple[list[Instant], list[dict[str, Any]]]] = {}
        for account, at, traits in told:
            instants, values = self._traits.setdefault(account, ([], []))
            values.append({**(values[-1] if values else {}), **without_reserved(loads(traits))})
            instants.append(at)
        self._flips: dict[str, dict[str, list[Instant]]] = {}
        for name, flips in audiences.items():
            for at, account in flips:
                self._flips.setdefault(account, {}).setdefault(name, []).append(at)

    def moments(self, account: str) -> Iterable[Instant]:
        """When the account changed."""
        yield from self._traits.get(account, ([], []))[0]
        for instants in self._flips.get(account, {}).values():
            yield from instants

    def held(self, account: str, role: str, now: Instant) -> Held:
        """The account at an instant, with a role in it."""
        instants, values = self._traits.get(account, ([], []))
        place = bisect_right(instants, now)
        # Every flip turns the membership over; before the first, it is none.
        audiences = [name for name, at in self._flips.get(account, {}).items() if bisect_right(at, now) % 2]
        return Held({**(values[place - 1] if place else {}), "id": account}, (role,), audiences)

    def accounts(self, ties: Sequence[Mapping[str, Tie]], now: Instant) -> list[Held]:
        """The accounts of somebody with these ties, by identifier; first the one that the newest word joined."""
        found: dict[str, list[Tie]] = {}
        for own in ties:
            for account, tie in own.items():
                if tie.joined:
                    found.setdefault(account, []).append(tie)
        newest = sorted(((max(tie.stamp for tie in all_), account) for account, all_ in found.items()), reverse=True)
        return [self.held(account, _role(found[account]), now) for _, account in newest]


NO_ACCOUNTS = Past({}, (), {})


def _role(ties: Iterable[Tie]) -> str:
    return max((tie.role_stamp, tie.role) for tie in ties)[1] or "member"
