"""What is imported when, and what the pure slices never ask. Who may import whom is import-linter's, in pyproject."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

from architecture.tree import parsed, place, pure_files

#: Modules that cost a person who types `innkeeper --help` their patience.
HEAVY = (
    "asyncio", "duckdb", "httpx", "lark", "liquid", "litestar", "multiprocessing", "rich", "ruamel", "sqlglot",
    "sqlite3", "structlog", "uvicorn",
)  # fmt: skip

#: Ways to the clock and to chance that are reached through modules a slice may import.
IMPURE_CALLS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("urllib", "request"),
}  # fmt: skip


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, json\n"
        "sys.argv = ['innkeeper', '--help']\n"
        "from innkeeper.cli.main import main\n"
        "try:\n    main()\n"
        "finally:\n    print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}
    assert "Commands" in done.stdout
    assert imported & set(HEAVY) == set()


def test_pure_slices_never_ask_the_clock() -> None:
    found = [
        f"{place(path, node.lineno)} {node.value.id}.{node.attr}"
        for path in pure_files()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in IMPURE_CALLS
    ]
    assert found == []


def test_pure_slices_open_no_files() -> None:
    found = [
        place(path, node.lineno)
        for path in pure_files()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    ]
    assert found == []
