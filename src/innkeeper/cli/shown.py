"""Values as the terminal shows them: as `--set NAME=VALUE` takes them back."""

from __future__ import annotations

from typing import Any

import msgspec

from innkeeper.kernel.json import canonical, loads


def shown(value: Any) -> str:
    """A text as it stands, unless it could be read as something else; the rest as JSON.

    >>> [shown(value) for value in ("Soap", "3", 3, None, ["gift"], True)]
    ['Soap', '"3"', '3', 'null', '["gift"]', 'true']
    """
    if not isinstance(value, str):
        return canonical(value)
    try:
        loads(value)
    except msgspec.DecodeError:
        return value
    return canonical(value)


def changed(before: Any, after: Any) -> str:
    """What became of a value.

    >>> changed(None, 2), changed(2, 3), changed(3, None)
    ('2', '2 -> 3', '3 -> gone')
    """
    if before is None:
        return shown(after)
    return f"{shown(before)} -> {'gone' if after is None else shown(after)}"
