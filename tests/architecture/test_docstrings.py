"""Every module says what is in it; every public class and function says what it is for."""

from __future__ import annotations

import ast
import re

from architecture.tree import ROOT, SOURCE, parsed, place, project_files, python_files

#: Files as docstrings and comments name them: from the package on, from the repository on, or by their name alone.
NAMED_FILE = re.compile(r"`([\w/.-]+\.(?:py|sql|css|lark))`|\b(docs/[\w/.-]+\.md)")

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def test_every_module_says_what_is_in_it() -> None:
    missing = [
        place(path)
        for path in python_files("src", "tests", "benchmarks")
        if path.read_text().strip() and ast.get_docstring(parsed(path)) is None
    ]
    assert missing == []


def test_every_public_name_says_what_it_is_for() -> None:
    missing = [
        f"{place(path, node.lineno)} {node.name}"
        for path in python_files("src")
        for node in parsed(path).body
        if isinstance(node, Definition) and not node.name.startswith("_") and ast.get_docstring(node) is None
    ]
    assert missing == []


def test_every_public_method_of_a_protocol_says_what_it_promises() -> None:
    missing = [
        f"{place(path, method.lineno)} {node.name}.{method.name}"
        for path in python_files("src")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).startswith("Protocol") for base in node.bases)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_") and ast.get_docstring(method) is None
    ]
    assert missing == []


def test_files_that_are_named_exist() -> None:
    names = {path.name for path in project_files()}
    missing = [
        f"{place(path, number)}: {name}"
        for path in python_files("src", "tests", "benchmarks")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for name in (found[0] or found[1] for found in NAMED_FILE.findall(line))
        if not ((SOURCE / name).exists() or (ROOT / name).exists() or ("/" not in name and name in names))
    ]
    assert missing == []
