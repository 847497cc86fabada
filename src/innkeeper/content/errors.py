"""What can go wrong with content: a missing value, a template that cannot be rendered, a header that is not safe."""

from __future__ import annotations

from innkeeper.kernel.errors import OperationFailed


class MissingValue(OperationFailed):
    """A template prints a value that is not there, and its message says to abort then.

    Attributes:
        path: The variable, e.g. `profile.first_name`.
    """

    def __init__(self, path: str, *, code: str = "missing_value", where: str = "", fix: str = "") -> None:
        super().__init__(path, code=code, where=where, fix=fix)
        self.path = path

    def __str__(self) -> str:
        return f"there is no value for '{self.path}' [missing_value]"


class TemplateFailed(OperationFailed):
    """A template is wrong, or asked for more than the limits allow."""


class UnsafeHeader(OperationFailed):
    """A header's text holds what could start another header or line."""
