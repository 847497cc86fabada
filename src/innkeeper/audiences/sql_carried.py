"""How a statement goes on once raw events went by retention: totals that were carried join those of what is left.

`sql.py` makes the statement; each operator says in its own file how two totals become one
(`audiences/operators/base.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from innkeeper.audiences.nodes import Aggregate
from innkeeper.audiences.operators import OPERATORS
from innkeeper.audiences.printer import print_expression
from innkeeper.audiences.sql_values import Binder, Sql, fn
from innkeeper.kernel.ids import digest

#: The table of what is left, and that of what was carried.
LEFT, GONE = "left_over", "gone"


def resumes(node: Aggregate) -> bool:
    """Whether a function goes on from carried totals: what a window leaves behind is not carried."""
    return node.within is None


def columns_of(made: Sql) -> list[Sql]:
    """The columns that an operator made: one, or those of a tuple."""
    return list(made.expressions) if isinstance(made, exp.Tuple) else [made]


def carried_facts(
    functions: Sequence[tuple[Aggregate, list[str]]], bind: Binder, grouped: Callable[..., exp.Select]
) -> list[tuple[str, exp.Select]]:
    """The tables `gone` and `facts`, from `left_over` and the view `carried`.

    Args:
        functions: Each function of the expression with the names of its columns.
        bind: Collects the values.
        grouped: Makes a query of columns over the view, one row a profile.
    """
    totals: list[Sql] = []
    facts: list[Sql] = [exp.column("subject")]
    for index, (node, names) in enumerate(functions):
        left = [exp.column(name, table=LEFT) for name in names]
        if not resumes(node):
            facts += left
            continue
        carried = OPERATORS[node.function].carried
        pointer = bind.bind(f"/accumulators/{digest(print_expression(node))}")
        mine = exp.cast(fn("json_extract", exp.column("properties"), pointer), "varchar")
        before = [f"c{index}_{number}" for number in range(len(names))]
        totals += [exp.alias_(total, name) for total, name in zip(columns_of(carried.total(mine)), before, strict=True)]
        both = carried.together(left, [exp.column(name, table=GONE) for name in before])
        facts += [exp.alias_(column, name) for column, name in zip(columns_of(both), names, strict=True)]
    joined = exp.select(*facts).from_(LEFT).join(GONE, using="subject", join_type="full")
    return [(GONE, grouped(*totals)), ("facts", joined)]
