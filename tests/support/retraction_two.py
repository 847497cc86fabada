"""Two retractions of one source, one after the other, lifted in the order in which they were made."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from innkeeper.runtime.replay import replay
from innkeeper.runtime.retract import lift, retract
from support.retraction_many import ManyCase, compare
from support.workspace import Workspace


class TwoBad(ManyCase):
    """A case whose bad events are in two parts; `without` says which of them are left out of a phase."""

    def __init__(self, seed: int, *, families: int) -> None:
        super().__init__(seed, families=families)
        bad = [one["messageId"] for phase in self.phases[:2] for source, one in phase if source == "bad"]
        self.chance.shuffle(bad)
        self.first_part, self.second_part = set(bad[::2]), set(bad[1::2])
        self.without: Collection[str] = ()

    def is_bad(self, source: str, one: Any) -> bool:
        """Whether it is left out."""
        return one["messageId"] in self.without


def check_two(case: TwoBad, folder: Path) -> None:
    """Retract both parts, lift both; the oracles never saw what is retracted at the time."""
    left_out = {
        "real": set[str](), "neither": case.first_part | case.second_part, "second": case.second_part,
        "both": set[str](),
    }  # fmt: skip
    spaces = {name: case.workspace(folder / name) for name in left_out}

    def phase(number: int) -> None:
        for name, space in spaces.items():
            case.without = left_out[name]
            case.phase(space, number, without=True)

    def is_as(name: str) -> None:
        compare(spaces["real"], spaces[name], case)

    phase(0)
    # Events of the first part that come later are passed over when they come.
    early = any(one["messageId"] in case.first_part for _, one in case.phases[0])
    first = _retract(spaces["real"], case.first_part) if early else ""
    phase(1)
    first = first or _retract(spaces["real"], case.first_part)
    second = _retract(spaces["real"], case.second_part)
    is_as("neither")
    lift(spaces["real"].home, first, do=True)
    is_as("second")
    phase(2)
    is_as("second")
    lift(spaces["real"].home, second, do=True)
    is_as("both")
    found = replay(spaces["real"].home)
    assert found.different == 0, found.examples


def _retract(space: Workspace, messages: Collection[str]) -> str:
    return str(retract(space.home, "bad", messages=messages, do=True)["retraction"])
