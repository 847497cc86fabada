"""YAML 1.2 text to `Located` values: every key and value with its exact line and column, every finding with a fix.

Plain words follow the core schema of YAML 1.2 (`yes`, `10:00` and dates stay texts). Tags, several documents and keys
that are no texts are refused; aliases are bounded. Nothing here knows what a definition means: that is `load.py` and
the readers of the slices. Why a text is no YAML, in plain words: `yaml_errors.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from innkeeper.kernel.errors import Problem
from innkeeper.kernel.located import Findings, Located, Place, Scalar
from innkeeper.strategy.yaml_errors import explain_error, split_problem
from innkeeper.strategy.yaml_runs import text_runs

#: The longest definition file, characters.
MAX_CHARACTERS = 250_000
#: The deepest nesting.
MAX_DEPTH = 50
#: The most values in one file, counted after aliases are resolved.
MAX_VALUES = 100_000

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,100}\Z")
_BASED = re.compile(r"0o[0-7]{1,100}\Z|0x[0-9a-fA-F]{1,100}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,100}|[0-9]{1,100}(\.[0-9]{0,100})?)([eE][-+]?[0-9]{1,4})?\Z")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ANCHOR = re.compile(r"(?:&\S+\s+)+")


class _Stop(Exception):
    """Carries the finding that ends the reading of a file."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class _Piece:
    """A value and the stretch of the source that it was read from."""

    node: Located
    start: int
    end: int
    size: int = 1
    plain: bool = False


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is still open; a mapping's pieces are its keys and values in turn."""

    mapping: bool
    flow: bool
    place: Place
    start: int
    anchor: str | None
    pieces: list[_Piece] = field(default_factory=list)


def read_yaml(text: str, file: str, findings: Findings, *, first_line: int = 1) -> Located | None:
    """The value of a YAML text; None when it is no YAML, with the reason among the findings.

    Args:
        text: One document; an empty one has the value None.
        file: The name that places get.
        findings: Takes what is wrong.
        first_line: Where the text begins in its file (front matter begins at 2).
    """
    if len(text) > MAX_CHARACTERS:
        findings.add(
            Place(file, first_line, 1),
            "file-too-large",
            f"the file has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read",
            "split it into several definitions",
        )
        return None
    try:
        return _Builder(text, file, first_line, findings).build()
    except _Stop as stop:
        findings.problems.append(stop.problem)
        return None


class _Builder:
    """Builds the value from the parser's events, without recursion."""

    def __init__(self, text: str, file: str, first_line: int, findings: Findings) -> None:
        self.text, self.file, self.offset, self.findings = text, file, first_line - 1, findings
        self.stack: list[_Frame] = []
        self.anchors: dict[str, _Piece] = {}
        self.root: _Piece | None = None
        self.documents = 0
        self.values = 0

    def build(self) -> Located:
        for event in self._events():
            self._take(event)
        if self.root is None:
            return Located(None, Place(self.file, self.offset + 1, 1))
        return self.root.node

    def _events(self) -> Iterator[Any]:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            yield from YAML(typ="safe", pure=True).parse(self.text)
        except YAMLError as error:
            raise _Stop(explain_error(error, self.text, self.file, self.offset)) from error
        except (ValueError, OverflowError) as error:
            # an escape such as "\\UFFFFFFFF" names no character
            problem = Problem(
                code="bad-yaml",
                message=f"the file cannot be read as YAML: {error}",
                fix="look for an escape such as \\U that names no character",
                file=self.file,
                line=self.offset + 1,
                column=1,
            )
            raise _Stop(problem) from error

    def _take(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "DocumentStartEvent":
            self.documents += 1
            if self.documents > 1:
                self._stop(event, "several-documents", "'---' begins a second document", "keep one definition a file")
        elif kind == "ScalarEvent":
            self._refuse_tag(event)
            self._add(self._scalar(event), event.anchor)
        elif kind == "AliasEvent":
            self._add(self._alias(event), None)
        elif kind in ("SequenceStartEvent", "MappingStartEvent"):
            self._open(event, mapping=kind == "MappingStartEvent")
        elif kind in ("SequenceEndEvent", "MappingEndEvent"):
            self._close(event)

    def _open(self, event: Any, *, mapping: bool) -> None:
        self._refuse_tag(event)
        if len(self.stack) >= MAX_DEPTH:
            self._stop(event, "too-deep", f"the values are nested deeper than {MAX_DEPTH} levels", "flatten them")
        start = event.end_mark.index - 1 if event.flow_style and event.anchor else event.start_mark.index
        line, column = event.start_mark.line, event.start_mark.column + (start - event.start_mark.index)
        if event.end_mark.line != line:
            line, column = event.end_mark.line, event.end_mark.column
        self.stack.append(
            _Frame(mapping, bool(event.flow_style), self._at(line, column), event.start_mark.index, event.anchor)
        )

    def _close(self, event: Any) -> None:
        frame = self.stack.pop()
        if frame.flow:
            self._mend_splits(frame)
        size = 1 + sum(piece.size for piece in frame.pieces)
        node = self._mapping(frame) if frame.mapping else Located([p.node for p in frame.pieces], frame.place)
        end = event.end_mark.index if frame.flow else event.start_mark.index
        self._add(_Piece(node, frame.start, end, size), frame.anchor)

    def _add(self, piece: _Piece, anchor: str | None) -> None:
        self.values += 1
        if anchor is not None:
            self.anchors[anchor] = piece
        if self.stack:
            self.stack[-1].pieces.append(piece)
        else:
            self.root = piece

    def _alias(self, event: Any) -> _Piece:
        name, place = event.anchor, self._place(event.start_mark)
        target = self.anchors.get(name)
        if target is None:
            self._stop(
                event,
                "unknown-alias",
                f"'*{name}' refers to an anchor that does not stand before it",
                f"write '&{name}' before the value that is meant, or quote the text",
            )
        self.values += target.size
        if self.values > MAX_VALUES:
            self._stop(
                event,
                "too-many-values",
                f"with its aliases the file has over {MAX_VALUES:,} values",
                "use fewer aliases",
            )
        node = Located(target.node.value, place, target.node.keys)
        return _Piece(node, event.start_mark.index, event.end_mark.index, target.size)

    def _mapping(self, frame: _Frame) -> Located:
        items: dict[str, Located] = {}
        keys: dict[str, Place] = {}
        for key, value in zip(frame.pieces[::2], frame.pieces[1::2], strict=True):
            name = self._key(key)
            if name is None:
                continue
            if name in items:
                self.findings.add(
                    key.node.place,
                    "duplicate-key",
                    f"the key '{name}' stands here again; it is on line {keys[name].line} already",
                    "keep one of the two",
                )
                continue
            items[name], keys[name] = value.node, key.node.place
        return Located(items, frame.place, keys)

    def _key(self, piece: _Piece) -> str | None:
        if isinstance(piece.node.value, list | dict):
            self.findings.add(
                piece.node, "bad-key", "a key must be a text, not a list or mapping", "put the key in quotes"
            )
            return None
        if piece.plain:
            return self.text[piece.start : piece.end]
        return str(piece.node.value)

    def _scalar(self, event: Any) -> _Piece:
        start, end = event.start_mark.index, event.end_mark.index
        line, column = event.start_mark.line, event.start_mark.column
        if event.anchor and (found := _ANCHOR.match(self.text, start, end)):
            skipped = self.text[start : found.end()]
            line += skipped.count("\n")
            column = len(skipped) - skipped.rfind("\n") - 1 if "\n" in skipped else column + len(skipped)
            start = found.end()
        place = self._at(line, column)
        if event.style is not None or event.value == "" or "\n" in self.text[start:end]:
            runs = text_runs(self.text[start:end], event.value, event.style, place.line, place.column)
        else:
            runs = ()
        if _SURROGATE.search(event.value):
            self._stop(event, "bad-character", "an escape names half a character", "write the character itself")
        plain = event.style is None
        value = self._plain(event.value, place) if plain else event.value
        return _Piece(Located(value, place, runs=runs), start, end, plain=plain)

    def _plain(self, word: str, place: Place) -> Scalar:
        if word in _NULL:
            return None
        if word in _BOOL:
            return _BOOL[word]
        if _INT.match(word):
            return int(word)
        if _BASED.match(word):
            return int(word[2:], 8 if word[1] == "o" else 16)
        if _FLOAT.match(word):
            number = float(word)
            if number in (float("inf"), float("-inf")):
                self.findings.add(place, "number-too-large", f"the number {word} is too large", "put it in quotes")
                return None
            return number
        return word

    def _mend_splits(self, frame: _Frame) -> None:
        """Join what a comma inside parentheses has split, and say so: the rest of the file can then be checked."""
        index = 1 if frame.mapping else 0
        while index < len(frame.pieces):
            end = self._split_end(frame, index)
            if end is not None:
                first, last = frame.pieces[index], frame.pieces[end]
                whole = re.sub(r"(?<!\s)\s*\n\s*", " ", self.text[first.start : last.end])
                self.findings.problems.append(split_problem(whole, first.node.place, mapping=frame.mapping))
                mended = _Piece(Located(whole, first.node.place), first.start, last.end)
                cut = end + 1 if not frame.mapping or end % 2 else end + 2
                frame.pieces[index:cut] = [mended]
            index += 2 if frame.mapping else 1

    def _split_end(self, frame: _Frame, index: int) -> int | None:
        """Which piece ends the expression that begins in the piece *index*; None when that is whole."""
        first = frame.pieces[index]
        if not first.plain or not _is_open(self.text[first.start : first.end]):
            return None
        for end in range(index + 1, len(frame.pieces)):
            key_with_value = frame.mapping and end % 2 == 0 and frame.pieces[end + 1].start != frame.pieces[end + 1].end
            if not key_with_value and not _is_open(self.text[first.start : frame.pieces[end].end]):
                return end
        return None

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            self._stop(event, "tag", f"the tag '{event.tag}' is not used here", "remove it; a text goes into quotes")

    def _stop(self, event: Any, code: str, message: str, fix: str) -> NoReturn:
        place = self._place(event.start_mark)
        raise _Stop(Problem(code=code, message=message, fix=fix, file=self.file, line=place.line, column=place.column))

    def _place(self, mark: Any) -> Place:
        return self._at(mark.line, mark.column)

    def _at(self, line: int, column: int) -> Place:
        return Place(self.file, line + 1 + self.offset, column + 1)


def _is_open(text: str) -> bool:
    """Whether a parenthesis is open at the end of the text; parentheses within single quotes do not count."""
    depth, quoted = 0, False
    for character in text:
        if character == "'":
            quoted = not quoted
        elif not quoted:
            depth += (character == "(") - (character == ")")
    return depth > 0 or (quoted and "(" in text)
