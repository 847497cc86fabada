"""Links that are taken away after a life together: two profiles, each as if the link had never been stated.

The oracle is another workspace whose events never state the link: the same events under the user alone, and no word
that joins two users.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from support.retraction import Case, Compare, compare
from support.retraction_many import ManyCase
from support.retraction_many import compare as compare_many

from innkeeper.kernel.time import HOUR, SystemClock, format_instant
from innkeeper.runtime.replay import replay
from innkeeper.store.ledger import balance
from innkeeper.store.state import State

SEED = 20261126


class Linked(Case):
    """A case without a bad import, in which some links are taken away: of browsers, and of users joined by a word."""

    def __init__(self, seed: int, *, families: int) -> None:
        super().__init__(seed, families=families)
        chance = self.chance
        self.words: list[tuple[str, str]] = []
        for family in range(families):
            if chance.random() < 0.6:
                one, other = chance.sample(range(3), 2)
                self.words.append((f"{family}u{one}", f"{family}u{other}"))
        at = self.ends[0] - 30 * HOUR
        self.phases[0] += [("shop", self._word("Link Added", pair, at)) for pair in self.words]
        claims = {
            (one["userId"], one["anonymousId"])
            for phase in self.phases[:2]
            for _, one in phase
            if one["anonymousId"] and one["userId"]
        }
        self.claims = chance.sample(sorted(claims), (len(claims) + 1) // 2)
        self.words_away = chance.sample(self.words, (len(self.words) + 1) // 2)
        self.audiences = {}

    def _word(self, name: str, pair: tuple[str, str], at: int) -> Any:
        properties = {"a": pair[0], "b": pair[1]}
        id = f"{name}-{pair[0]}-{pair[1]}"
        return self._message("track", at, pair[0], None, event=name, id=id, properties=properties)

    def is_bad(self, source: str, one: Any) -> bool:
        """None is."""
        return False

    def taken_away(self) -> list[Any]:
        """The words that take links away, just before the end of the second phase."""
        pairs = [(who, f"anonymous_id:{device}") for who, device in self.claims] + self.words_away
        at = self.ends[1] - HOUR
        return [self._word("Link Removed", pair, at + place) for place, pair in enumerate(sorted(pairs))]

    def never_linked(self) -> None:
        """Take the links out of the events."""
        for number, phase in enumerate(self.phases):
            for _, one in phase:
                if (one["userId"], one["anonymousId"]) in self.claims:
                    one["anonymousId"] = None
            self.phases[number] = [
                (source, one)
                for source, one in phase
                if one.get("event") != "Link Added" or (one["properties"]["a"], one["properties"]["b"]) in self._stay()
            ]

    def _stay(self) -> set[tuple[str, str]]:
        return set(self.words) - set(self.words_away)


class LinkedMany(Linked, ManyCase):
    """The same with accounts and items in it."""


def play(
    seed: int, folder: Path, *, late: bool, families: int = 8, of: type[Linked] = Linked, compare: Compare = compare
) -> None:
    """Compare with the oracle when the links have been taken away, and after another phase; *late*: said afterwards."""
    case, other = of(seed, families=families), of(seed, families=families)
    other.never_linked()
    real, oracle = case.workspace(folder / "real"), case.workspace(folder / "oracle")
    tick_size = random.Random(seed).choice([1, 7, 2_000])
    away = case.taken_away()
    if not late:
        case.phases[1] += [("shop", one) for one in away]
    for number in range(3):
        case.phase(real, number, without=False, tick_size=tick_size)
        if late and number == 1:
            real.add(*away, source="desk", received_at=format_instant(SystemClock().now()))
            real.run(format_instant(case.ends[1]), deliver=case.deliver)
        other.phase(oracle, number, without=False)
        if number:
            compare(real, oracle, case)
    found = replay(real.home)
    assert found.different == 0, found.examples
    with State.open(real.home, readonly=True) as state:
        assert balance(state.connection)["difference"] == 0


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("late", [False, True], ids=["in order", "late"])
def test_as_if_the_link_had_never_been(number: int, late: bool, tmp_path: Path) -> None:
    print(f"seed {SEED + number}, 8 histories")
    play(SEED + number, tmp_path, late=late)


@pytest.mark.torture
@pytest.mark.parametrize("part", range(4))
def test_as_if_the_link_had_never_been_again_and_again(part: int, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}, 60 worlds of 8 histories")
    for number in range(60):
        try:
            play(seed + number, tmp_path / str(number), late=number % 2 == 0)
        except Exception as error:
            raise AssertionError(f"play({seed + number}, late={number % 2 == 0}) fails") from error


@pytest.mark.torture
@pytest.mark.parametrize("number", range(40))
def test_as_if_members_had_never_been_linked(number: int, tmp_path: Path) -> None:
    print(f"seed {SEED + number}, 4 histories")
    play(SEED + number, tmp_path, late=number % 2 == 0, families=4, of=LinkedMany, compare=compare_many)
