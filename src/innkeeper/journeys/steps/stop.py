"""`stop` or `stop: REASON` — ends the enrollment here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from innkeeper.journeys.definition import Step
from innkeeper.journeys.moves import End, Move
from innkeeper.kernel.located import Located

if TYPE_CHECKING:
    from innkeeper.journeys.running import Here
    from innkeeper.journeys.script import Script

EXAMPLES = (("stop: already a regular", "stop: already a regular"), ("stop:", "stop"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(Step):
    """Ends the enrollment."""

    kind = "stop"
    reason: str = ""

    def words(self) -> str:
        """What it does."""
        return f"stop: {self.reason}" if self.reason else "stop"

    def run(self, here: Here) -> Move:
        """Ends the enrollment as stopped."""
        return End("stopped", self.reason)


def read(node: Located, script: Script) -> Stop | None:
    """From a reason, or nothing."""
    if node.value is None or isinstance(node.value, bool | str):
        return Stop(reason=node.value if isinstance(node.value, str) else "", place=node.place)
    script.findings.add(node, "not-a-text", "the reason of 'stop' must be a text", "- stop: already a regular")
    return None
