"""Patterns (A28): none of ours takes more than a moment for a text half as long as an event may be, whatever is in it.

A pattern is tried in the ways in which its file uses it. What is measured is the time of the processor, so that other
work beside it does not count: a pattern that reads its text once takes a millisecond, one that begins again at each
place takes a hundred times as much and more.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator

from architecture.tree import parsed, place, python_files

#: What a text is made of, again and again; then it ends as no pattern expects.
PUMPS = (
    "a", "0", " ", "\t", "\n", "-", ".", "@", "_", "(", "/", "{", "%", "$", "é", "a.", "1-", "1 ", "= ",
    "a@", "=?", "&x ", "<a ", "{{ ", "{% raw", "0x", "::", "a:", "://a:", "\n  ",
)  # fmt: skip
SIZE = 16 * 1024
SECONDS = 0.25
_WAYS = {"match", "search", "fullmatch", "sub", "split", "findall", "finditer"}
_WHOLE = {"match", "fullmatch"}


def patterns() -> Iterator[tuple[str, re.Pattern[str], set[str]]]:
    """Every pattern of the source with its place, and the ways in which its file uses it."""
    for path in python_files("src"):
        named: dict[str, tuple[str, re.Pattern[str]]] = {}
        used: dict[str, set[str]] = {}
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                found = _pattern(node.value, {"compile"})
                if found is not None and isinstance(target, ast.Name):
                    named[target.id] = (place(path, node.lineno), found)
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            direct = _pattern(node, _WAYS)
            if direct is not None:
                yield place(path, node.lineno), direct, {node.func.attr}
            elif isinstance(node.func.value, ast.Name) and node.func.attr in _WAYS:
                used.setdefault(node.func.value.id, set()).add(node.func.attr)
        for name, (where, found) in named.items():
            # Where it is used elsewhere, in every way.
            yield where, found, used.get(name, _WAYS)


def _pattern(call: ast.Call, ways: set[str]) -> re.Pattern[str] | None:
    """What a call of `re` compiles; None for another call, and for one whose text is not written there."""
    function = call.func
    if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "re"):
        return None
    if function.attr not in ways or not isinstance(call.args[0], ast.Constant):
        return None
    flags = re.RegexFlag(0)
    for value in (*call.args[1:], *(each.value for each in call.keywords)):
        if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "re":
            flags |= getattr(re, value.attr)
    text = call.args[0].value
    return re.compile(text, flags) if isinstance(text, str) else None


def test_a28_no_pattern_takes_more_than_a_moment() -> None:
    slow, tried = set(), 0
    for where, pattern, ways in patterns():
        attempts = [pattern.fullmatch if "fullmatch" in ways else pattern.match]
        attempts += [pattern.search] if ways - _WHOLE else []
        for pump in PUMPS:
            text = (pump * SIZE)[:SIZE] + "\0"
            for attempt in attempts:
                began = time.process_time()
                attempt(text)
                tried += 1
                if time.process_time() - began > SECONDS:
                    slow.add((where, pattern.pattern, pump))
    assert tried >= 60 * len(PUMPS)
    assert not slow
