"""Harbour House, the hotel by the water: a year of invented guests, the same for the same seed on every machine.

Serves the demo, the docs, the scenario tests and the benchmarks; its strategy is `examples/harbour-house`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.json import dumps_bytes
from innkeeper.kernel.time import DAY, Instant
from innkeeper.runtime.harbour_house.agency import agency_year
from innkeeper.runtime.harbour_house.year import household, passer_by

__all__ = ["YEAR", "generate", "write_jsonl"]

YEAR = 365 * DAY


def generate(seed: int, guests: int, end: Instant) -> Iterator[dict[str, Any]]:
    """The events of the year before *end*, as Segment-style messages in the order in which they arrive.

    Nearly all arrive when they happen; what a phone without network kept arrives later (`sentAt`). Besides the
    *guests*, who all say who they are at some time, four in ten more look at the site and never do, and there is a
    travel agency with its people.

    Raises:
        UsageError: *guests* is not between 1 and 99,999.
    """
    if not 1 <= guests <= 99_999:
        raise UsageError(f"{guests} guests are not possible", code="bad-guests", fix="between 1 and 99999")
    start = end - YEAR
    lines: list[tuple[Instant, str, dict[str, Any]]] = []
    number, made = 0, 0
    while made < guests:
        diary, people = household(seed, number, made + 1, start, end)
        lines += diary.lines
        number, made = number + 1, made + people
    for visitor in range(guests * 2 // 5):
        lines += passer_by(seed, visitor, start, end).lines
    lines += agency_year(seed, start, end)
    lines.sort(key=lambda line: line[:2])
    return (line for _, _, line in lines)


def write_jsonl(path: Path, seed: int, guests: int, end: Instant) -> int:
    """Write the year to a JSONL file; answers how many events it has."""
    count = 0
    with path.open("wb") as file:
        for line in generate(seed, guests, end):
            file.write(dumps_bytes(line) + b"\n")
            count += 1
    return count
