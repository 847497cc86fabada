"""The mapping file read and tied to a table: YAML by `strategy/`, expressions by `audiences/`, Liquid by `content/`.

What a mapping may say is `events/mapping.py`; what it makes of a row is `events/mapping_bind.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from innkeeper.audiences.nodes import Between, Compare, Expression, In, Like, Number, Text, walk
from innkeeper.audiences.nodes import Path as Looked
from innkeeper.events.mapping import Condition, TableMapping, read_mapping
from innkeeper.events.mapping_bind import BoundMapping
from innkeeper.events.mapping_values import Column
from innkeeper.kernel.errors import Invalid, Problem, UsageError
from innkeeper.kernel.located import Findings, Located
from innkeeper.runtime.import_files import translated


class LanguageTools:
    """Compiles what stands in a mapping: conditions as inside `where`, templates as in a message's subject."""

    def condition(self, text: str) -> tuple[Sequence[tuple[str, ...]], Callable[[Mapping[str, Any]], bool]]:
        """The paths that an expression reads, and its test."""
        from innkeeper.audiences import compile_where, parse

        tree = parse(text, scope="event")
        paths = [node.parts for node in _nodes(tree) if isinstance(node, Looked)]
        return paths, compile_where(tree)

    def template(
        self, text: str, columns: Sequence[str] | None
    ) -> tuple[Sequence[str], Callable[[Mapping[str, Any]], str]]:
        """The columns that a template reads (of these; None: any), and its renderer."""
        from innkeeper.content.render import check_template, render_text, variables

        wrong = check_template(text, None if columns is None else set(columns))
        if wrong:
            raise Invalid([Problem(code="bad-template", message=said, line=line) for line, said in wrong])
        roots = {name.partition(".")[0].partition("[")[0] for name in variables(text)}
        return sorted(roots if columns is None else roots & set(columns)), lambda cells: render_text(text, cells)


def _nodes(node: object) -> Iterator[object]:
    """All nodes of a tree: of an expression, or of a mapping."""
    todo = [node]
    while todo:
        found = todo.pop()
        if isinstance(found, tuple):
            todo.extend(found)
        elif isinstance(found, dict):
            todo.extend(found.values())
        elif is_dataclass(found):
            yield found
            todo.extend(getattr(found, item.name) for item in fields(found))


def load_mapping(path: Path) -> tuple[TableMapping, Findings]:
    """What a mapping file declares, with what is wrong so far; `tie` adds the rest and raises.

    Raises:
        UsageError: The file cannot be read.
        Invalid: It is no YAML.
    """
    findings = Findings()
    return read_mapping(read_located(read_text(path), str(path), findings), findings), findings


def read_text(path: Path) -> str:
    """The text of a mapping file.

    Raises:
        UsageError: The file cannot be read.
    """
    with translated(path):
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is not UTF-8", code="not-utf-8", fix="save the file as UTF-8") from error


def read_located(text: str, name: str, findings: Findings) -> Located:
    """The YAML of a mapping file.

    Raises:
        UsageError, Invalid: It is no YAML.
    """
    from innkeeper.strategy.yaml import read_yaml

    node = read_yaml(text, name, findings)
    if node is None:
        findings.raise_if_any()
        raise UsageError(f"{name} is no mapping", code="no-mapping")
    return node


def numbers_asked(mapping: TableMapping) -> set[str]:
    """The columns that some `where` compares with numbers and none with texts: in a CSV they are read as numbers.

    Otherwise one cell that is no number would make the column one of texts, and no line would be kept. A `where` that
    does not parse is reported when the mapping is tied.
    """
    from innkeeper.audiences import parse

    kinds: dict[str, set[type]] = {}
    for condition in _conditions(mapping):
        with suppress(UsageError):
            for name, kind in _compared(parse(condition.text, scope="event")):
                kinds.setdefault(name, set()).add(kind)
    return {name for name, found in kinds.items() if found == {Number}}


def _conditions(mapping: TableMapping) -> Iterator[Condition]:
    return (found for found in _nodes(mapping) if isinstance(found, Condition))


def _compared(tree: Expression) -> Iterator[tuple[str, type]]:
    """The columns that an expression compares with literals, each with the literal's type."""
    for node in walk(tree):
        match node:
            case Compare(left=Looked(parts=parts), right=Number() | Text() as literal):
                yield ".".join(parts), type(literal)
            case Compare(left=Number() | Text() as literal, right=Looked(parts=parts)):
                yield ".".join(parts), type(literal)
            case Between(value=Looked(parts=parts), low=low):
                yield ".".join(parts), type(low)
            case In(value=Looked(parts=parts), items=items):
                yield from ((".".join(parts), type(item)) for item in items)
            case Like(value=Looked(parts=parts)):
                yield ".".join(parts), Text
            case _:
                pass


def tie(mapping: TableMapping, table: Sequence[Column] | None, findings: Findings) -> BoundMapping:
    """The mapping over a table's columns; None: over the paths of JSON.

    Raises:
        Invalid: The mapping is wrong; all findings at once.
    """
    bound = BoundMapping(mapping, table, LanguageTools(), findings)
    findings.raise_if_any()
    return bound
