"""Prints how large files and functions are; `make check` shows it. The limits are in `test_sizes.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from architecture.tree import code_lines, functions, place, python_files

#: What we aim for: longer functions and files are listed, not refused.
LONG_FUNCTION = 40
LONG_FILE = 400


def line_count(path: Path) -> int:
    """How many lines a file has."""
    return len(path.read_text().splitlines())


def main() -> None:
    """Print median, 90th percentile, and every file and function that is longer than we aim for."""
    files = {path: line_count(path) for path in python_files("src")}
    lengths = sorted(files.values())
    print(
        f"{len(files)} files in src: median {median(lengths):.0f} lines, p90 {quantiles(lengths, n=10)[-1]:.0f}, "
        f"longest {lengths[-1]}"
    )
    for path, length in sorted(files.items(), key=lambda item: -item[1]):
        if length > LONG_FILE:
            print(f"  long file {place(path)}: {length} lines")
    for path in files:
        for function in functions(path):
            if code_lines(function) > LONG_FUNCTION:
                print(f"  long function {place(path, function.lineno)} {function.name}: {code_lines(function)} lines")


if __name__ == "__main__":
    main()
