"""The page about expressions: every expression it shows is read and printed, every function is on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from innkeeper.audiences import parse, print_expression, words
from innkeeper.audiences.operators import OPERATORS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "expressions.md").read_text()
SHOWN = re.findall(r"^    (.+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("expression", SHOWN)
def test_what_the_page_shows_is_an_expression_in_its_canonical_form(expression: str) -> None:
    assert print_expression(parse(expression)) == expression
    assert words(parse(expression))


@pytest.mark.parametrize("name", OPERATORS)
def test_every_function_is_on_the_page(name: str) -> None:
    assert f"`{name}(E" in PAGE
