"""House rules that no linter has: secrets, names of machines, unfinished work."""

from __future__ import annotations

import ast
import re

import pytest
from architecture.tree import ROOT, parsed, place, project_files, python_files

SECRET = re.compile(r"(^|_)(secret|password|passphrase|write_key|api_key|signature|hmac|mac)$")

#: Places that only one machine has: nobody who clones the project could follow them. Each is written in two halves, so
#: that this file does not find itself.
ELSEWHERE = [
    re.compile(left + right, re.IGNORECASE)
    for left, right in [
        (r"(?<![\w.-])/wo", r"rk/"),
        (r"/tmp/pl", r"an"),
        (r"\.\./sha", r"red"),
        (r"pypi\.", r"org"),
        (r"python", r"hosted\.org"),
        (r"index[-_]", r"url"),
        (r"find[-_]", r"links"),
        (r"/opt/wh", r"eels"),
    ]
]
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".sql", ".lark", ".html", ".in", ".sh", ".css", ".js", ""}


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_secret(node: ast.expr) -> bool:
    return SECRET.search(_name(node)) is not None


def test_secrets_are_never_compared_with_equals() -> None:
    """`hmac.compare_digest` takes as long for a near miss as for a far one; `==` tells an attacker how near he is."""
    found = [
        place(path, node.lineno)
        for path in python_files("src")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
        and any(_is_secret(side) for side in (node.left, *node.comparators))
    ]
    assert found == []


@pytest.mark.parametrize("rule", ELSEWHERE, ids=lambda rule: str(rule.pattern))
def test_nothing_names_a_place_that_only_one_machine_has(rule: re.Pattern[str]) -> None:
    found = [
        f"{place(path, number)}: {line.strip()[:100]}"
        for path in project_files()
        if path.suffix in TEXT and "data" not in path.relative_to(ROOT).parts
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if rule.search(line) and "INNKEEPER_DATA" not in line
    ]
    assert found == []


def test_nothing_is_left_for_later() -> None:
    found = [
        f"{place(path, number)}: {line.strip()[:100]}"
        for path in python_files("src", "tests", "benchmarks")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert found == []


def test_no_error_is_swallowed() -> None:
    """An `except` that catches everything must raise, or write down what it caught."""
    found = [
        place(path, node.lineno)
        for path in python_files("src")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or _name(node.type) in {"Exception", "BaseException"})
        and all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body)
    ]
    assert found == []
