"""Chance for the invented hotel: whole numbers only, so that every Python and every machine throws the same dice.

Nothing here knows about hotels. Next in the flow: `people.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of throws that a seed and a name decide; streams of different names are independent.

    Only `Random.getrandbits` is used: its output for a seed has never changed between versions of Python.
    """

    def __init__(self, seed: int, name: str) -> None:
        digest = blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
        self._bits = Random(int.from_bytes(digest, "big")).getrandbits

    def below(self, limit: int) -> int:
        """A whole number in [0, limit), every one as likely."""
        width = limit.bit_length()
        value = self._bits(width)
        while value >= limit:
            value = self._bits(width)
        return value

    def between(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred throws."""
        return self.below(100) < percent

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, every one as likely."""
        return choices[self.below(len(choices))]

    def weighted(self, choices: Sequence[tuple[T, int]]) -> T:
        """One of the choices, in proportion to the weight beside it."""
        left = self.below(sum(weight for _, weight in choices))
        for choice, weight in choices:
            if left < weight:
                return choice
            left -= weight
        raise AssertionError("weights add up to more than their sum")

    def decile(self, points: Sequence[int]) -> int:
        """A number from a distribution given by its eleven deciles, straight between two of them."""
        place = self.below(1000)
        low, high = points[place // 100], points[place // 100 + 1]
        return low + (high - low) * (place % 100) // 100
