"""Errors that people read: what, where, why and how to mend it.

`Problem` is one finding about an input (a line of a file, a clause of an expression). `Invalid` carries all findings of
one check at once. Next in the flow: `cli/main.py` turns these into exit codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding about an input.

    Attributes:
        code: Stable slug, e.g. `unknown-event`.
        message: What is wrong, with the value seen and the rule.
        fix: What to do about it; empty when there is nothing to suggest.
        file: Path of the file, as the user would type it; empty for the command line.
        line: 1-based line, 0 when unknown.
        column: 1-based column, 0 when unknown.
    """

    code: str
    message: str
    fix: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def at(self, *, file: str, line: int = 0, column: int = 0) -> Problem:
        """The same finding, placed in a file."""
        return replace(self, file=file, line=line or self.line, column=column or self.column)

    def as_dict(self) -> dict[str, object]:
        """The JSON form that `check --json` prints."""
        return asdict(self)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} [{self.code}]" + (f"\n    fix: {self.fix}" if self.fix else "")


class InnkeeperError(Exception):
    """Root of all errors that Innkeeper raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, code: str = "failed", where: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message, self.code, self.where, self.fix = message, code, where, fix

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.code, self.where, self.fix))

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} [{self.code}]" + (f"\n    fix: {self.fix}" if self.fix else "")


def _rebuild(cls: type[InnkeeperError], message: str, code: str, where: str, fix: str) -> InnkeeperError:
    return cls(message, code=code, where=where, fix=fix)


class OperationFailed(InnkeeperError):
    """The call was right, but it could not be carried out (exit code 1)."""


class UsageError(InnkeeperError):
    """The call is wrong (exit code 2)."""

    exit_code = 2


class InternalError(InnkeeperError):
    """A bug in Innkeeper."""


class Invalid(UsageError):
    """An input with findings; carries all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems), code="invalid")

    def __reduce__(self) -> tuple[object, ...]:
        return (Invalid, (self.problems,))

    def __str__(self) -> str:
        return self.message


def did_you_mean(word: str, known: Iterable[str], *, limit: int = 3) -> str:
    """A sentence that offers the nearest known words; empty when none is near.

    >>> did_you_mean("Order Complete", ["Order Completed", "Login"])
    "did you mean 'Order Completed'?"
    """
    candidates = sorted(set(known))
    folded = {candidate.casefold(): candidate for candidate in candidates}
    near = get_close_matches(word.casefold(), folded, n=limit, cutoff=0.6)
    if not near:
        return ""
    return "did you mean " + " or ".join(f"'{folded[match]}'" for match in near) + "?"
