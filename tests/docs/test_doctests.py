"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib

import pytest
from architecture.tree import SOURCE, python_files

MODULES = [
    ".".join(("innkeeper", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    for path in python_files("src")
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted > 0
    assert done.failed == 0
