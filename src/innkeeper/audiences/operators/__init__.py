"""The table of functions over events, one file per family. To add one: docs/add-a-operator.md."""

from __future__ import annotations

from innkeeper.audiences.operators.base import Operator
from innkeeper.audiences.operators.distinct import DISTINCT
from innkeeper.audiences.operators.moments import DAYS_SINCE_FIRST, DAYS_SINCE_LAST, FIRST, LAST
from innkeeper.audiences.operators.occurrence import COUNT, DID
from innkeeper.audiences.operators.totals import AVG, MAX, MIN, SUM
from innkeeper.kernel.registry import Registry

OPERATORS: Registry[Operator] = Registry(
    "function",
    {
        operator.name: operator
        for operator in (
            DID, COUNT, SUM, AVG, MIN, MAX, DISTINCT, FIRST, LAST, DAYS_SINCE_FIRST, DAYS_SINCE_LAST,
        )
    },
)  # fmt: skip
