"""Files and functions stay small enough to be read in one sitting."""

from __future__ import annotations

from architecture.sizes import line_count
from architecture.tree import code_lines, functions, place, python_files

HARD_FILE_LIMIT = 700
HARD_FUNCTION_LIMIT = 80

#: Files that may be longer, each with its reason.
LONG_FILES: dict[str, str] = {}


def test_no_file_is_longer_than_the_hard_limit() -> None:
    lengths = {place(path): line_count(path) for path in python_files("src", "tests", "benchmarks")}
    too_long = {name: length for name, length in lengths.items() if length > HARD_FILE_LIMIT}
    assert too_long.keys() <= LONG_FILES.keys(), too_long
    assert too_long.keys() >= LONG_FILES.keys(), "an exception is no longer needed"


def test_no_function_is_longer_than_the_hard_limit() -> None:
    too_long = [
        f"{place(path, function.lineno)} {function.name}: {code_lines(function)} lines"
        for path in python_files("src", "tests", "benchmarks")
        for function in functions(path)
        if code_lines(function) > HARD_FUNCTION_LIMIT
    ]
    assert too_long == []
