"""Why a text is no YAML, in plain words with a fix; among them the expression that YAML's own commas split.

`yaml.py` asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from innkeeper.kernel.errors import Problem
from innkeeper.kernel.located import Place

_QUOTE_ALL = "put the whole value in double quotes"
_HINTS: tuple[tuple[str, str], ...] = (
    ("'\\t'", "indent with spaces, never with tabs"),
    ("cannot start any token", _QUOTE_ALL),
    ("mapping values are not allowed", "a value that holds ': ' goes into quotes; otherwise mend the indentation"),
    ("could not find expected ':'", "add ':' after the key, or mend the indentation"),
    ("but found '<scalar>'", _QUOTE_ALL + ", or begin a new line for the next key"),
    ("but found '<block mapping start>'", "mend the indentation: keys of one mapping begin in one column"),
    ("but found '<block sequence start>'", "mend the indentation: entries of one list begin in one column"),
    ("but found '-'", "mend the indentation: entries of one list begin in one column"),
    ("but got '<stream end>'", "close the bracket"),
    ("unexpected end of stream", "close the quote"),
    ("unknown escape character", "write the text in single quotes, where a backslash is itself"),
    ("but found ','", _QUOTE_ALL),
    ("but found ']'", "remove the bracket, or open it"),
    ("but found '}'", "remove the bracket, or open it"),
)


def split_problem(whole: str, place: Place, *, mapping: bool) -> Problem:
    """The finding for an expression that a comma in a flow list or mapping has split."""
    brackets = "{ }" if mapping else "[ ]"
    return Problem(
        code="split-expression",
        message=f"the comma splits the expression: inside {brackets} YAML ends a value at a comma",
        fix=f"quote it: {quoted(whole)}",
        file=place.file,
        line=place.line,
        column=place.column,
    )


def quoted(text: str) -> str:
    """The text as a YAML double-quoted scalar."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def explain_error(error: Any, text: str, file: str, offset: int) -> Problem:
    """The finding for what the YAML parser raised.

    Args:
        error: ruamel's error.
        text: What was parsed.
        file: The name for the place.
        offset: Lines of the file before the text.
    """
    position = getattr(error, "position", None)
    if isinstance(position, int):  # a ReaderError
        line, column = _line_column(text, position)
        return Problem(
            code="bad-character",
            message=f"the character {text[position : position + 1]!r} is not allowed in YAML",
            fix="remove it",
            file=file,
            line=line + offset,
            column=column,
        )
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    reason = str(getattr(error, "problem", None) or error)
    if mark is not None and (found := _split_around(text, mark.index, context)):
        start, whole, bracket = found
        line, column = _line_column(text, start)
        return split_problem(whole, Place(file, line + offset, column), mapping=bracket == "{")
    if context is not None and ("stream" in reason):
        mark = context
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return Problem(
        code="bad-yaml",
        message=f"this is not YAML: {_in_words(error, reason)}",
        fix=next((fix for sign, fix in _HINTS if sign in reason), "mend it, or put the value in quotes"),
        file=file,
        line=line + offset,
        column=column,
    )


def _in_words(error: Any, reason: str) -> str:
    context = getattr(error, "context", None)
    return f"{reason}, {context}" if context else reason


def _line_column(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def _split_around(text: str, index: int, context: Any) -> tuple[int, str, str] | None:
    """Start, text and bracket of the expression around *index* that has a comma inside parentheses, if one has."""
    start = text.rfind("\n", 0, index) + 1
    if context is not None and text[context.index : context.index + 1] in ("[", "{"):
        start = context.index
    for begin, end, bracket in _flow_items(text, start):
        item = text[begin:end].strip()
        if begin <= index <= end and bracket and "(" in item and "," in item[item.index("(") :]:
            return begin + len(text[begin:end]) - len(text[begin:end].lstrip()), " ".join(item.split()), bracket
        if begin > index:
            break
    return None


def _flow_items(text: str, start: int) -> Iterator[tuple[int, int, str]]:
    """The items from *start* on as a person means them: a comma within parentheses does not end one."""
    begin, depth, brackets, at = start, 0, "", start
    while at < len(text):
        character = text[at]
        if character in "'\"" and (depth or not text[begin:at].strip()):
            close = text.find(character, at + 1)
            at = close if close > 0 else len(text)
        elif character in "()":
            depth = max(depth + (1 if character == "(" else -1), 0)
        elif depth == 0 and character in "[{":
            brackets, begin = brackets + character, at + 1
        elif depth == 0 and character in ",]}":
            yield begin, at, brackets[-1:]
            brackets, begin = brackets[:-1] if character in "]}" else brackets, at + 1
            if not brackets and character in "]}":
                return
        elif depth == 0 and text.startswith(": ", at):
            begin = at + 2
        at += 1
