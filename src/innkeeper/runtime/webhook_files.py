"""Mapping files of webhooks beside a strategy that are not what was declared: `check` and `plan` say so.

A file is looked for under the name that it was declared with, in the folder `mappings` of the strategy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path
from typing import Final

from innkeeper.kernel.errors import Invalid, Problem
from innkeeper.runtime.import_mapping import read_text
from innkeeper.runtime.webhooks import Rule, compiled, read_rule
from innkeeper.store.sources import FILE, Sources

FOLDER: Final = "mappings"
_MOST_LINES: Final = 40


def changed_mappings(home: Path, directory: Path) -> list[Problem]:
    """What is different in each mapping file, or wrong with it; as warnings, because a strategy does not hold it."""
    if not (home / FILE).exists():
        return []
    with Sources.open(home) as sources:
        rules = {each.name: rule for each in sources.all() if (rule := read_rule(each.webhook)) is not None}
    return [problem for name, rule in rules.items() for problem in _changed(name, rule, directory)]


def _changed(name: str, rule: Rule, directory: Path) -> Iterator[Problem]:
    file = directory / FOLDER / Path(rule.file).name
    if not file.is_file():
        return
    text = read_text(file)
    if text == rule.mapping:
        return
    try:
        compiled(text, str(file))
    except Invalid as invalid:
        for problem in invalid.problems:
            yield replace(problem, message=f"{problem.message} (webhooks of '{name}')")
        return
    lines = list(unified_diff(rule.mapping.splitlines(), text.splitlines(), "declared", str(file), n=1, lineterm=""))
    told = "".join(f"\n    {line}" for line in lines[:_MOST_LINES])
    more = f"\n    … and {len(lines) - _MOST_LINES} lines more" if len(lines) > _MOST_LINES else ""
    again = f"innkeeper source webhook {name} --mapping {file} --scheme {rule.scheme}"
    yield Problem(
        code="webhook-changed", file=str(file),
        message=f"the webhooks of '{name}' still go by the text that was declared:{told}{more}",
        fix=again + "".join(f" --{option} {value}" for option, value in _options(rule) if value),
    )  # fmt: skip


def _options(rule: Rule) -> tuple[tuple[str, str], ...]:
    return (
        ("secret-env", rule.secret_env), ("url", rule.url), ("topic", rule.topic), ("verify-env", rule.verify_env)
    )  # fmt: skip
