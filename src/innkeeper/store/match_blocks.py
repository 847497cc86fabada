"""Which pairs are compared at all: everybody with everybody would be half a million pairs for a thousand people.

A block is an equality; its size (how many pairs agree) is counted before it is used. Where the strategy names no
blocks, each field is one for itself as long as that is affordable, and goes together with others where it is not.
Next in the flow: `match_model.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

from innkeeper.kernel.errors import UsageError
from innkeeper.store import duck

if TYPE_CHECKING:
    import duckdb

#: Pairs of one block that is chosen here, and of one that somebody has declared.
CHOSEN_AT_MOST: Final = 1_000_000
DECLARED_AT_MOST: Final = 100_000_000
#: A block whose agreeing pairs are so many times as many as chance makes is evidence of its own that there are matches.
_BEYOND_CHANCE: Final = 20
#: Pairs from which the shares of agreement can be estimated in a block.
_ENOUGH_PAIRS: Final = 100


@dataclass(frozen=True, slots=True)
class Block:
    """An equality of columns on both sides; *left* and *right* differ where values stand in each other's place."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    pairs: int

    @property
    def sql(self) -> str:
        """As splink takes it."""
        return " AND ".join(f"l.{a} = r.{b}" for a, b in zip(self.left, self.right, strict=True))


class Blocks:
    """Counts blocks over the table `people` and chooses among them."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, columns: Sequence[str], swapped: tuple[str, str] | None
    ) -> None:
        self._connection, self._columns, self._swapped = connection, columns, swapped
        self._people = int(duck.run(connection, "SELECT count(*) FROM people")[0][0])
        self._counted: dict[tuple[tuple[str, ...], tuple[str, ...]], Block] = {}

    @property
    def all_pairs(self) -> int:
        """How many pairs there are."""
        return self._people * (self._people - 1) // 2

    def count(self, left: tuple[str, ...], right: tuple[str, ...] | None = None) -> Block:
        """A block with its size."""
        right = right or left
        block = self._counted.get((left, right))
        if block is None:
            block = self._counted[left, right] = Block(left, right, self._size(left, right))
        return block

    def _size(self, left: tuple[str, ...], right: tuple[str, ...]) -> int:
        def grouped(columns: tuple[str, ...]) -> str:
            names = ", ".join(f"{column} AS k{number}" for number, column in enumerate(columns))
            there = " AND ".join(f"{column} IS NOT NULL" for column in columns)
            return f"(SELECT {names}, count(*) AS n FROM people WHERE {there} GROUP BY ALL)"  # noqa: S608 – names of ours

        if left == right:
            sql = f"SELECT coalesce(sum(n * (n - 1) // 2), 0) FROM {grouped(left)}"  # noqa: S608
        else:
            keys = ", ".join(f"k{number}" for number in range(len(left)))
            both = f"{grouped(left)} AS a JOIN {grouped(right)} AS b USING ({keys})"
            sql = f"SELECT coalesce(sum(a.n * b.n), 0) FROM {both}"  # noqa: S608
        return int(duck.run(self._connection, sql)[0][0])

    def declared(self, blocks: Sequence[tuple[str, ...]], traits: dict[str, str]) -> list[Block]:
        """The blocks that the strategy names, with their swapped forms.

        Raises:
            UsageError: One of them would compare more pairs than can be scored.
        """
        found = [self.count(block) for block in blocks]
        names = {column: trait for trait, column in traits.items()}
        for block in found:
            if block.pairs > DECLARED_AT_MOST:
                told = ", ".join(names[column] for column in block.left)
                raise UsageError(
                    f"block_on [{told}] would compare {block.pairs:,} pairs, more than {DECLARED_AT_MOST:,}",
                    code="block-too-large", fix=f"name a further field beside {told}, or leave block_on out",
                )  # fmt: skip
        return self._with_crossed(found)

    def chosen(self, also: Sequence[str] = ()) -> list[Block]:
        """One block per field, or with other fields where it alone would be too large; *also*: helper columns."""
        found: list[Block] = []
        for column in (*self._columns, *also):
            alone = self.count((column,))
            if 0 < alone.pairs <= CHOSEN_AT_MOST:
                found.append(alone)
            elif alone.pairs and column not in also:
                found += self._together(column)
        return self._with_crossed(list(dict.fromkeys(found)))

    def _together(self, column: str) -> list[Block]:
        found = []
        for other in self._columns:
            if other != column:
                first, second = sorted((column, other), key=self._columns.index)
                block = self.count((first, second))
                if 0 < block.pairs <= CHOSEN_AT_MOST:
                    found.append(block)
        return found

    def _with_crossed(self, blocks: list[Block]) -> list[Block]:
        """Blocks on one of two swapped names look for it in the other's place too."""
        if self._swapped is None:
            return blocks
        other = dict([self._swapped, self._swapped[::-1]])
        crossed = []
        for block in blocks:
            right = tuple(other.get(column, column) for column in block.left)
            if right != block.left and block.left == block.right:
                for one in (self.count(block.left, right), self.count(right, block.left)):
                    if 0 < one.pairs <= CHOSEN_AT_MOST:
                        crossed.append(one)
        return list(dict.fromkeys([*blocks, *crossed]))

    def beyond_chance(self, comparisons: Sequence[Sequence[str]]) -> list[Block]:
        """Pairs of columns of different comparisons whose agreement is far above what chance would make."""
        found = []
        groups = {column: number for number, columns in enumerate(comparisons) for column in columns}
        for a, b in combinations(groups, 2):
            if groups[a] == groups[b]:
                continue
            block = self.count((a, b))
            by_chance = self.count((a,)).pairs * self.count((b,)).pairs / max(self.all_pairs, 1)
            if block.pairs > _BEYOND_CHANCE * by_chance and block.pairs > 0:
                found.append(block)
        return found

    def training(self, comparisons: Sequence[Sequence[str]]) -> list[Block]:
        """Blocks on which the shares of agreement are estimated: one per comparison, few pairs, many of them matches.

        Each tells about all comparisons but its own, so there are none unless there are two.
        """
        found = []
        for columns in comparisons:
            options = [self.count((column,)) for column in columns]
            if len(columns) > 1:
                options.append(self.count(tuple(columns)))
            options = [block for block in options if _ENOUGH_PAIRS <= block.pairs <= CHOSEN_AT_MOST]
            if options:
                found.append(min(options, key=lambda block: block.pairs))
        found.sort(key=lambda block: block.pairs)
        return found[:3] if len(found) > 1 else []
