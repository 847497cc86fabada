"""Audiences: the language of conditions, its checks, and its two ways of being computed.

`parse` reads a text, `check` holds it against a `Catalog`, `print_expression` and `words` write it; `compile_live` and
`compile_where` make closures for the fold, `compile_sql` (imported where it is used) makes SQL for everyone at once.
"""

from __future__ import annotations

from innkeeper.audiences.catalog import BUILT_IN_EVENTS, BUILT_IN_TRAITS, Catalog
from innkeeper.audiences.check import Checked, check, cycle_problem, find_cycle
from innkeeper.audiences.live import compile_live
from innkeeper.audiences.nodes import Expression
from innkeeper.audiences.parse import parse
from innkeeper.audiences.printer import print_expression
from innkeeper.audiences.types import MISSING, Accumulator, Condition, Evaluate, FactsReader
from innkeeper.audiences.where import compile_where
from innkeeper.audiences.words import words

__all__ = [
    "BUILT_IN_EVENTS",
    "BUILT_IN_TRAITS",
    "MISSING",
    "Accumulator",
    "Catalog",
    "Checked",
    "Condition",
    "Evaluate",
    "Expression",
    "FactsReader",
    "check",
    "compile_live",
    "compile_where",
    "cycle_problem",
    "find_cycle",
    "parse",
    "print_expression",
    "words",
]
