"""`send: MESSAGE` — offers a message to the gates; the next step begins when it is planned or denied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from innkeeper.journeys.definition import Step
from innkeeper.journeys.moves import Move, Offer
from innkeeper.kernel.located import Located

if TYPE_CHECKING:
    from innkeeper.journeys.running import Here
    from innkeeper.journeys.script import Script

EXAMPLES = (("send: welcome-1", "send the message 'welcome-1'"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Step):
    """Sends a message, if the gates allow."""

    kind = "send"
    message: str

    def messages(self) -> tuple[str, ...]:
        """The message."""
        return (self.message,)

    def words(self) -> str:
        """What it does."""
        return f"send the message '{self.message}'"

    def run(self, here: Here) -> Move:
        """Offers the message; a deferred one is offered again by `resume`."""
        return Offer(self.message)


def read(node: Located, script: Script) -> Send | None:
    """From the name of a message."""
    if not isinstance(node.value, str):
        script.findings.add(node, "not-a-message", "'send' needs the name of a message", "- send: welcome-1")
        return None
    return Send(message=script.mention("message", node.value, node), place=node.place)
