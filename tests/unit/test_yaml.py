"""YAML texts become values that know their place; every finding has one, too."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from innkeeper.kernel.errors import Invalid, Problem
from innkeeper.kernel.located import Findings, Located
from innkeeper.strategy.yaml import MAX_VALUES, read_yaml


def read(text: str, first_line: int = 1) -> tuple[Located | None, list[Problem]]:
    findings = Findings()
    return read_yaml(text, "f.yaml", findings, first_line=first_line), findings.problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 10:00", "10:00"), ("a: yes", "yes"), ("a: 2026-01-01", "2026-01-01"), ("a: true", True), ("a: ~", None),
        ("a:", None), ("a: 12", 12), ("a: 1.5", 1.5), ("a: '12'", "12"), ("a: 0o17", 15), ("a: 0x1F", 31),
        ("a: 1_000", "1_000"), ("a: .inf", ".inf"), ("a: 1e3", 1000.0), ("a: -7", -7), ("a: '' ", ""),
        ("a: 3 days", "3 days"), ("a: did('X')", "did('X')"), ("a: |\n  x\n  y\n", "x\ny\n"),
    ],
)  # fmt: skip
def test_plain_words_follow_the_core_schema(text: str, value: object) -> None:
    node, problems = read(text)
    assert not problems
    assert node is not None
    assert node.plain() == {"a": value}


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "in_fix"),
    [
        ("exit: [ did('A', within => '3 days'), x ]", "split-expression", 1, 9, "\"did('A', within => '3 days')\""),
        ("exit: [ a in ('A', 'b'), x ]", "split-expression", 1, 9, "\"a in ('A', 'b')\""),
        ("{ if: did('A', within => '3 days'), steps: [] }", "split-expression", 1, 7, "\"did('A', within =>"),
        ("a: [\n  did('A',\n  before => '1 day'), b]", "split-expression", 2, 3, "\"did('A', before => '1 day')\""),
        ("- { until: did('G', where => a in ('x', 'y')), b: 1 }", "split-expression", 1, 12, "a in ('x', 'y')"),
        ("a:\n\tb: 1", "bad-yaml", 2, 1, "spaces"),
        ("a: 'x' and y", "bad-yaml", 1, 8, "double quotes"),
        ("a: x: y", "bad-yaml", 1, 5, "quotes"),
        ("a: \x01", "bad-character", 1, 4, "remove"),
        ("b: 1\na: [1", "bad-yaml", 2, 4, "bracket"),
        ("a: *nope", "unknown-alias", 1, 4, "&nope"),
        ("a: &a [*a]", "unknown-alias", 1, 8, "quote"),
        ("a: @b", "bad-yaml", 1, 4, "quotes"),
        ("a: 1\n---\nb: 2", "several-documents", 2, 1, "one definition"),
        ("? [a]\n: 1", "bad-key", 1, 3, "quotes"),
        ("a: 1\nb: 2\na: 3", "duplicate-key", 3, 1, "one of the two"),
        ("a: 'x", "bad-yaml", 1, 4, "close the quote"),
        ('a: "\\q"', "bad-yaml", 1, 6, "single quotes"),
        ('a: "\\ud800"', "bad-character", 1, 4, "the character itself"),
        ("a: !!str 5", "tag", 1, 4, "quotes"),
        ("a: 1e999", "number-too-large", 1, 4, "quotes"),
        ("a:\n  - b\n c: d", "bad-yaml", 3, 2, "indentation"),
        ("a: " + "[" * 60, "too-deep", 1, 53, "flatten"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_place_and_a_fix(text: str, code: str, line: int, column: int, in_fix: str) -> None:
    _, problems = read(text)
    assert [(p.code, p.file, p.line, p.column) for p in problems] == [(code, "f.yaml", line, column)]
    assert in_fix in problems[0].fix


def test_a_split_expression_is_mended_so_that_the_rest_is_checked() -> None:
    node, _ = read("steps: [ { if: count('A', within => '1 day') > 2, steps: [a], else: x }, b ]")
    assert node is not None
    assert node.plain() == {"steps": [{"if": "count('A', within => '1 day') > 2", "steps": ["a"], "else": "x"}, "b"]}


def test_prose_with_apostrophes_is_no_split() -> None:
    node, problems = read("a: [Don't, won't, (really), x]")
    assert not problems
    assert node is not None
    assert node.plain() == {"a": ["Don't", "won't", "(really)", "x"]}


def test_aliases_are_bounded() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]\n" for n in range(1, 12))
    _, problems = read(bomb)
    assert [p.code for p in problems] == ["too-many-values"]
    assert f"{MAX_VALUES:,}" in problems[0].message


def test_front_matter_counts_from_its_own_line() -> None:
    node, problems = read("a: 1\nb: x: y", first_line=2)
    assert node is None
    assert problems[0].line == 3
    node, _ = read("a: 1\nb: 2", first_line=2)
    assert node is not None
    assert node.keys["b"].line == 3


def escaped(value: str) -> str:
    inner = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value)
    return f'"{inner}"'


class Writer:
    """Writes a value as YAML in drawn styles, and notes where each key and value begins: the oracle of places."""

    def __init__(self, draw: Any) -> None:
        self.draw, self.text = draw, ""
        self.places: list[tuple[tuple[object, ...], int, int]] = []

    def note(self, path: tuple[object, ...]) -> None:
        self.places.append((path, self.text.count("\n") + 1, len(self.text) - self.text.rfind("\n")))

    def scalar(self, value: str) -> None:
        styles = ["double", "single"] + ["plain"] * bool(value.isalpha() and value.isascii())
        style = self.draw(st.sampled_from(styles))
        if style == "plain":
            self.text += value if value.lower() not in ("null", "true", "false") else escaped(value)
        elif style == "single" and value.isprintable():
            self.text += "'" + value.replace("'", "''") + "'"
        else:
            self.text += escaped(value)

    def value(self, value: object, path: tuple[object, ...], indent: int) -> None:
        if isinstance(value, str) or not value:
            self.note(path)
            self.scalar(value) if isinstance(value, str) else self._add("{}" if isinstance(value, dict) else "[]")
        elif self.draw(st.booleans()):
            self.flow(value, path)
        else:
            self.block(value, path, indent)

    def _add(self, text: str) -> None:
        self.text += text

    def flow(self, value: Any, path: tuple[object, ...]) -> None:
        self.note(path)
        self._add("{ " if isinstance(value, dict) else "[ ")
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for count, (key, item) in enumerate(entries):
            if count:
                self._add(self.draw(st.sampled_from([", ", ",   ", ",\n      "])))
            if isinstance(value, dict):
                self.note((*path, key, "key"))
                self._add(f'"{key}": ')
            if isinstance(item, str) or not item:
                self.value(item, (*path, key), 0)
            else:
                self.flow(item, (*path, key))
        self._add(" }" if isinstance(value, dict) else " ]")

    def block(self, value: Any, path: tuple[object, ...], indent: int) -> None:
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for count, (key, item) in enumerate(entries):
            self._add(("\n" if count or indent or self.text else "") + self.draw(st.sampled_from(["", "# note\n"])))
            self._add(" " * indent)
            if count == 0:
                self.note(path)
            if isinstance(value, dict):
                self.note((*path, key, "key"))
                self._add(f"{key}: ")
            else:
                self._add("- ")
            self.value(item, (*path, key), indent + 2)


def places_of(node: Located, path: tuple[object, ...] = ()) -> list[tuple[tuple[object, ...], int, int]]:
    found = [(path, node.place.line, node.place.column)]
    if isinstance(node.value, dict):
        for key, item in node.value.items():
            found += [((*path, key, "key"), node.keys[key].line, node.keys[key].column)]
            found += places_of(item, (*path, key))
    elif isinstance(node.value, list):
        for index, item in enumerate(node.value):
            found += places_of(item, (*path, index))
    return found


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
keys = st.text("abcdefg", min_size=1, max_size=5)
trees = st.recursive(texts, lambda t: st.lists(t, max_size=4) | st.dictionaries(keys, t, max_size=4), max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(keys, trees, min_size=1, max_size=4), st.data())
def test_every_place_is_exact(tree: dict[str, object], data: st.DataObject) -> None:
    writer = Writer(data.draw)
    writer.value(tree, (), 0)
    node, problems = read(writer.text)
    assert not problems, writer.text
    assert node is not None
    assert node.plain() == tree, writer.text
    assert sorted(map(str, places_of(node))) == sorted(map(str, writer.places)), writer.text


@pytest.mark.parametrize(
    "text",
    [
        "when: abc ? def", "when: 'abc ? def'", "when: \"abc \\u0041 ? def\"", "when: |\n  abc\n  x ? def\n",
        "when: >-\n  abc\n  x ? def\n", "when: abc\n  and x\n  and ? y", "when: 'it''s ? x'", "when: &a  ab ? c",
        "- { when: \"a\\\n   b ? c\" }", "when: >\n\n  ab\n\n    c ? d\n  e\n", "when: |-2\n   ab ? c\n", "when: ' ? '",
        "when: abc\n\n  de ? f", "when: \"a\\\"b\\n ? c\"",
    ],
)  # fmt: skip
def test_a_place_inside_a_text_is_exact(text: str) -> None:
    """A parser of the value finds '?' at a line and column of the value; the finding must name those of the file."""
    node, problems = read(text)
    assert not problems
    while node is not None and not isinstance(node.value, str):
        assert isinstance(node.value, dict | list)
        node = next(iter(node.value.values() if isinstance(node.value, dict) else node.value))
    assert node is not None
    value = str(node.value)
    offset = value.index("?")
    inner = Problem(
        code="x", message="x", line=value.count("\n", 0, offset) + 1, column=offset - value.rfind("\n", 0, offset)
    )
    findings = Findings()
    findings.add_from(node, Invalid([inner]))
    at = text.index("?")
    expected = (text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
    assert (findings.problems[0].line, findings.problems[0].column) == expected


@settings(max_examples=300, deadline=None)
@given(st.text("ab:-[]{},'\"()|>&*!#?\n\t \\\u2028\x85@%1.", max_size=40) | st.text(max_size=30))
def test_any_text_gives_a_value_or_a_finding(text: str) -> None:
    node, problems = read(text)
    assert node is not None or problems
    lines = text.count("\n") + 2
    assert all(p.fix and p.message and 1 <= p.line <= lines and p.column >= 1 for p in problems)
