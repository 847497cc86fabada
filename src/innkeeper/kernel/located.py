"""Values of a definition file that know where they stand, so that every finding names file, line and column.

`strategy/` makes them from YAML; the slices read their definitions from them. A reader never raises for a bad value: it
adds a `Problem` to the `Findings` and answers with None, so that one check reports everything at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from innkeeper.kernel.errors import Invalid, Problem, UsageError, did_you_mean
from innkeeper.kernel.time import Duration, parse_duration

Scalar = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file as the user would type it, a 1-based line and column (0: unknown)."""

    file: str = ""
    line: int = 0
    column: int = 0


#: The place of what stands in no file.
NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Located:
    """A value of a definition file with its place.

    Attributes:
        value: A scalar, a list of `Located`, or a dict from key to `Located`.
        place: Where the value begins.
        keys: For a mapping, where each key stands.
        runs: For a text that is not written as it reads (quotes, escapes, several lines): ascending triples of an
            offset in the text and the line and column where the characters from there on stand.
    """

    value: Scalar | list[Located] | dict[str, Located]
    place: Place
    keys: Mapping[str, Place] = ()  # type: ignore[assignment]
    runs: tuple[tuple[int, int, int], ...] = ()

    def inside(self, line: int, column: int) -> Place:
        """Where the character stands that a parser of this text calls *line* and *column* (1-based).

        >>> Located("a b", Place("f", 7, 3), runs=((0, 7, 4), (2, 8, 1))).inside(1, 3)
        Place(file='f', line=8, column=1)
        """
        if not self.runs:
            first = line <= 1
            return Place(
                self.place.file,
                self.place.line + max(line - 1, 0),
                self.place.column + max(column - 1, 0) if first else column,
            )
        lines = str(self.value).split("\n")
        offset = sum(len(text) + 1 for text in lines[: max(line - 1, 0)]) + max(column - 1, 0)
        start, at_line, at_column = max((run for run in self.runs if run[0] <= offset), default=self.runs[0])
        return Place(self.place.file, at_line, at_column + max(offset - start, 0))

    def plain(self) -> Any:
        """The value without places, as JSON."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


class Findings:
    """The problems found so far in one check."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, where: Located | Place, code: str, message: str, fix: str = "") -> None:
        """Record a problem at a place."""
        place = where.place if isinstance(where, Located) else where
        self.problems.append(
            Problem(code=code, message=message, fix=fix, file=place.file, line=place.line, column=place.column)
        )

    def add_from(self, where: Located | Place, error: UsageError) -> None:
        """Record what a parser of a value raised, at the value's place.

        A problem inside the value (an expression) keeps its own line and column, counted from the value's place.
        """
        node = where if isinstance(where, Located) else Located(None, where)
        if isinstance(error, Invalid):
            for problem in error.problems:
                place = node.inside(problem.line, problem.column) if problem.line else node.place
                self.problems.append(problem.at(file=place.file, line=place.line, column=place.column))
        else:
            self.add(node, error.code, error.message, error.fix)

    def raise_if_any(self) -> None:
        """Raise `Invalid` with all problems, in the order of file and line, if there is one."""
        if self.problems:
            raise Invalid(sorted(self.problems, key=lambda p: (p.file, p.line, p.column)))


class Reader:
    """Reads the keys of one mapping; `close` reports those that nobody asked for."""

    def __init__(self, node: Located, findings: Findings, what: str) -> None:
        self.node, self.findings, self.what = node, findings, what
        self._asked: set[str] = set()
        if isinstance(node.value, dict):
            self._items: dict[str, Located] = node.value
        else:
            self._items = {}
            findings.add(
                node,
                "not-a-mapping",
                f"{what} must be a mapping of keys, not {_shape(node.value)}",
                "write it as lines of 'key: value', or as { key: value }",
            )

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def has(self, key: str) -> bool:
        """Whether the key is there with a value."""
        self._asked.add(key)
        return key in self._items and self._items[key].value is not None

    def get(self, key: str) -> Located | None:
        """The value of a key; None when it is absent or empty."""
        return self._items[key] if self.has(key) else None

    def require(self, key: str, fix: str = "") -> Located | None:
        """The value of a key that must be there."""
        found = self.get(key)
        if found is None and isinstance(self.node.value, dict):
            self.findings.add(self.node, "missing-key", f"{self.what} needs '{key}'", fix or f"add '{key}: ...'")
        return found

    def text(self, key: str, default: str | None = None, *, required: bool = False) -> str | None:
        """A text; numbers are taken as they are written."""
        node = self.require(key) if required else self.get(key)
        if node is None:
            return default
        if isinstance(node.value, str):
            return node.value
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return str(node.value)
        self.findings.add(
            node, "not-a-text", f"'{key}' of {self.what} must be a text, not {_shape(node.value)}", "put it in quotes"
        )
        return default

    def integer(self, key: str, default: int | None = None, *, required: bool = False) -> int | None:
        """A whole number."""
        node = self.require(key) if required else self.get(key)
        if node is None:
            return default
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            return node.value
        self.findings.add(
            node,
            "not-a-number",
            f"'{key}' of {self.what} must be a whole number, not {_shape(node.value)}",
            f"write it like {key}: 10",
        )
        return default

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str | None:
        """One of a closed set of words."""
        node = self.get(key)
        if node is None:
            return default
        if node.value in choices:
            return str(node.value)
        self.findings.add(
            node,
            "not-a-choice",
            f"'{key}' of {self.what} is '{node.plain()}'; it must be one of: {', '.join(choices)}",
            did_you_mean(str(node.plain()), choices) or f"write one of: {', '.join(choices)}",
        )
        return default

    def duration(self, key: str, default: Duration | None = None) -> Duration | None:
        """A duration such as `3 days`, in microseconds."""
        node = self.get(key)
        if node is None:
            return default
        try:
            return parse_duration(str(node.value))
        except UsageError as error:
            self.findings.add_from(node, error)
            return default

    def items(self, key: str) -> list[Located]:
        """The entries of a list; a single value counts as a list of one."""
        node = self.get(key)
        if node is None:
            return []
        return node.value if isinstance(node.value, list) else [node]

    def close(self, also: Iterable[str] = ()) -> None:
        """Report the keys that nobody asked for, with the nearest known ones."""
        known = self._asked | set(also)
        for key in self._items:
            if key not in known:
                place = self.node.keys[key] if key in self.node.keys else self._items[key].place
                self.findings.add(
                    place,
                    "unknown-key",
                    f"{self.what} has no key '{key}'",
                    did_you_mean(key, known) or f"known keys: {', '.join(sorted(known))}",
                )


def _shape(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else f"'{value}'"
