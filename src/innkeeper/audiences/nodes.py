"""The expression tree: frozen dataclasses, which are also the JSON that the UI edits."""

from __future__ import annotations


class Expression:
    """Base of all nodes."""

    __slots__ = ()
