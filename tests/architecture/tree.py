"""The project's files as the architecture tests see them: what git tracks, parsed once."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "innkeeper"

#: The packages that compute and do nothing else.
PURE = (
    "audiences", "content", "decisions", "events", "identity", "journeys", "kernel", "lifecycle.py", "measurement",
    "profiles", "strategy",
)  # fmt: skip


@cache
def project_files() -> tuple[Path, ...]:
    """Every file of the project, without what is generated or ignored; also from an unpacked archive without git."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(git, check=True, capture_output=True, text=True).stdout.split("\0")
        paths = [ROOT / name for name in listed if name]
    except (FileNotFoundError, subprocess.CalledProcessError):
        hidden = {
            ".git",
            ".venv",
            ".mypy_cache",
            ".ruff_cache",
            ".hypothesis",
            ".innkeeper",
            "__pycache__",
            "node_modules",
        }
        paths = [path for path in ROOT.rglob("*") if not hidden & set(path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in paths if path.is_file()))


def python_files(*folders: str) -> tuple[Path, ...]:
    """The Python files under these folders of the project."""
    roots = [ROOT / folder for folder in folders]
    return tuple(
        path for path in project_files() if path.suffix == ".py" and any(path.is_relative_to(root) for root in roots)
    )


def pure_files() -> tuple[Path, ...]:
    """The Python files of the slices that must be pure."""
    return tuple(path for path in python_files("src") if path.relative_to(SOURCE).parts[0] in PURE)


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(), filename=str(path))


def place(path: Path, line: int = 0) -> str:
    """How a file and line are printed."""
    name = str(path.relative_to(ROOT))
    return f"{name}:{line}" if line else name


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods of a file."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many lines a function takes without its docstring."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is None:
        return whole
    return whole - ((first.end_lineno or first.lineno) - first.lineno + 1)
