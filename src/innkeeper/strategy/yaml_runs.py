"""Where the characters of a YAML text stand when it is not written as it reads: quoted, escaped, on several lines.

`yaml.py` asks; `Located.inside` answers with the result.
"""

from __future__ import annotations

_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


def text_runs(source: str, value: str, style: str | None, line: int, column: int) -> tuple[tuple[int, int, int], ...]:
    """Ascending (offset in *value*, line, column): from the offset on, characters stand there one after the other.

    Args:
        source: The scalar as written, with its quotes or its block header.
        value: The text that it means.
        style: YAML's: None plain, a quote, `|` or `>`.
        line: 1-based line of the first character of *source*.
        column: 1-based column of it.
    """
    runs: list[tuple[int, int, int]] = []
    walker = _Walker(source, style, line, column)
    expected: tuple[int, int] | None = None
    for offset, character in enumerate(value):
        here = walker.find(character)
        if here is None:
            break
        if here != expected:
            runs.append((offset, *here))
        expected = (here[0], here[1] + 1) if walker.last_length == 1 else None
    return tuple(runs) or ((0, *walker.here()),)


class _Walker:
    """Walks the source in step with the value."""

    def __init__(self, source: str, style: str | None, line: int, column: int) -> None:
        self.source, self.style, self.line, self.column = source, style, line, column
        self.at = 0
        self.last_length = 1
        if style in ("'", '"'):
            self._move(1)
        elif style in ("|", ">"):
            self._move(source.find("\n") + 1 or len(source))

    def here(self) -> tuple[int, int]:
        return self.line, self.column

    def find(self, character: str) -> tuple[int, int] | None:
        """Where the next *character* of the value stands; None when the source ends first."""
        self._skip_line_continuations()
        if character.isspace():
            return self._space(character)
        while self.at < len(self.source) and self.source[self.at].isspace():
            self._move(1)
        self._skip_line_continuations()
        return self._step()

    def _space(self, character: str) -> tuple[int, int] | None:
        """A space of the value: itself, or the line break that folding made it from."""
        if self.at >= len(self.source):
            return None
        if self.source[self.at] == "\\" and self.style == '"':
            return self._step()
        if self.style in ("|", ">") and character != "\n":
            # the indentation of a block is no part of its value; spaces beyond it are, and come right before the text
            return self._step() if self.source[self.at] == character else self.here()
        return self._step() if self.source[self.at].isspace() else self.here()

    def _step(self) -> tuple[int, int] | None:
        if self.at >= len(self.source):
            return None
        here = self.here()
        self.last_length = 1
        if self.style == "'" and self.source.startswith("''", self.at):
            self.last_length = 2
        elif self.style == '"' and self.source[self.at] == "\\":
            self.last_length = _ESCAPE_LENGTHS.get(self.source[self.at + 1 : self.at + 2], 2)
        self._move(self.last_length)
        return here

    def _skip_line_continuations(self) -> None:
        while self.style == '"' and self.source.startswith("\\\n", self.at):
            self._move(2)
            while self.at < len(self.source) and self.source[self.at] in " \t":
                self._move(1)

    def _move(self, count: int) -> None:
        for character in self.source[self.at : self.at + count]:
            if character == "\n":
                self.line, self.column = self.line + 1, 1
            else:
                self.column += 1
        self.at += count
