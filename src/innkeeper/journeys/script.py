"""Reading the parts of a journey: expressions, names and lists of steps, collected with their places for the checker.

`read.py` uses it for the journey, the files in `steps/` for their own keys.
"""

from __future__ import annotations

from typing import Literal

from innkeeper.audiences.nodes import Expression
from innkeeper.audiences.parse import parse
from innkeeper.journeys.definition import Clause, Mention, Step
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.located import Findings, Located

Scope = Literal["journey", "event"]
MentionKind = Literal["message", "audience", "event", "purpose", "template", "catalog", "object"]


class Script:
    """Collects what one journey says, and where."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.clauses: list[Clause] = []
        self.mentions: list[Mention] = []

    def expression(self, node: Located, scope: Scope = "journey", event: str | None = None) -> Expression | None:
        """The expression of a text (or of a bare true, false); None with a finding when it is none."""
        value = node.value
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, str):
            self.findings.add(node, "not-an-expression", f"a condition must be a text, not {node.plain()!r}")
            return None
        try:
            found = parse(value, scope)
        except UsageError as error:
            self.findings.add_from(node, error)
            return None
        self.clauses.append(Clause(expression=found, scope=scope, place=node.place, event=event, node=node))
        return found

    def mention(self, kind: MentionKind, name: str, node: Located) -> str:
        """Remember a name and where it stands."""
        self.mentions.append(Mention(kind=kind, name=name, place=node.place))
        return name

    def steps(self, node: Located | None) -> tuple[Step, ...]:
        """The steps of a list; what is wrong with one is a finding, and the others are read all the same."""
        from innkeeper.journeys.steps import read_step

        if node is None:
            return ()
        entries = node.value if isinstance(node.value, list) else [node]
        found = [read_step(entry, self) for entry in entries]
        return tuple(step for step in found if step is not None)
