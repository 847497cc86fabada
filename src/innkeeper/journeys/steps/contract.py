"""The contract of a kind of step: its class, its reader and its examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from innkeeper.journeys.definition import Step
from innkeeper.journeys.script import Script
from innkeeper.kernel.located import Located


@dataclass(frozen=True, slots=True, kw_only=True)
class StepKind:
    """One kind of step.

    Attributes:
        step: The class of its fields; it runs, and says itself in words.
        read: From the value under its key; None with a finding when that is wrong.
        examples: YAML of one step, and what it does in words; contract tests read and print them.
    """

    step: type[Step]
    read: Callable[[Located, Script], Step | None]
    examples: tuple[tuple[str, str], ...]
