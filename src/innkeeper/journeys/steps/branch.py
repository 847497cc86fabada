"""`branch: [{if: EXPR, steps: [...]}, ..., {else: [...]}]` — goes on in the first arm whose condition holds.

Its conditions see all history of the profile, and `event.x` of the entry event. No arm: on to the next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from innkeeper.audiences.nodes import Expression
from innkeeper.journeys.definition import Step
from innkeeper.journeys.moves import Goto, Move
from innkeeper.kernel.located import Located, Reader

if TYPE_CHECKING:
    from innkeeper.journeys.running import Here
    from innkeeper.journeys.script import Script

EXAMPLES = (
    (
        "branch:\n  - if: traits.first_stay\n    steps: [ { send: first-stay-tips } ]\n  - else: [ { stop: regular } ]",
        "if traits.first_stay: send the message 'first-stay-tips'; else: stop: regular",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """The steps for one condition, and how it was written."""

    when: Expression
    text: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Step):
    """Chooses the first arm whose condition holds."""

    kind = "branch"
    ifs: tuple[Arm, ...]
    otherwise: tuple[Step, ...] = ()

    def conditions(self) -> tuple[Expression, ...]:
        """One per arm."""
        return tuple(arm.when for arm in self.ifs)

    def arms(self) -> tuple[tuple[str, tuple[Step, ...]], ...]:
        """`if`, `if2`, ... and `else`."""
        return (*((_label(number), arm.steps) for number, arm in enumerate(self.ifs)), ("else", self.otherwise))

    def messages(self) -> tuple[str, ...]:
        """Those of the steps inside."""
        return tuple(name for _, steps in self.arms() for step in steps for name in step.messages())

    def words(self) -> str:
        """What it does."""
        parts = [f"if {arm.text}: {_words(arm.steps)}" for arm in self.ifs]
        return "; ".join([*parts, f"else: {_words(self.otherwise)}"] if self.otherwise else parts)

    def run(self, here: Here) -> Move:
        """Goes into the first arm whose condition holds now."""
        for number in range(len(self.ifs)):
            if here.holds(number)[0]:
                return Goto(_label(number))
        return Goto("else")


def _label(number: int) -> str:
    return "if" if number == 0 else f"if{number + 1}"


def _words(steps: tuple[Step, ...]) -> str:
    return ", then ".join(step.words() for step in steps) or "nothing"


def read(node: Located, script: Script) -> Branch | None:
    """From a list of arms; `else` stands last."""
    entries = node.value if isinstance(node.value, list) else [node]
    ifs: list[Arm] = []
    otherwise: tuple[Step, ...] = ()
    for number, entry in enumerate(entries):
        reader = Reader(entry, script.findings, "an arm of 'branch'")
        if reader.has("else"):
            if number + 1 < len(entries):
                script.findings.add(entry, "else-not-last", "'else' must be the last arm of 'branch'")
            otherwise = script.steps(reader.get("else"))
        elif (condition := reader.require("if", "- if: traits.vip\n  steps: [...]")) is not None:
            when = script.expression(condition)
            steps = script.steps(reader.require("steps"))
            if when is not None:
                ifs.append(Arm(when=when, text=str(condition.value), steps=steps))
        reader.close(("else", "if", "steps"))
    return Branch(ifs=tuple(ifs), otherwise=otherwise, place=node.place)
