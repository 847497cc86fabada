"""`task: {queue, title, body, due}` — work for a person, with what they need to know; texts are Liquid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from innkeeper.events.outputs import TaskCreated
from innkeeper.journeys.definition import Step
from innkeeper.journeys.moves import NEXT, Move
from innkeeper.kernel.ids import digest
from innkeeper.kernel.located import Located, Reader
from innkeeper.kernel.time import Duration, format_duration, format_instant

if TYPE_CHECKING:
    from innkeeper.journeys.running import Here
    from innkeeper.journeys.script import Script

EXAMPLES = (
    (
        'task: { queue: concierge, title: "Call {{ profile.first_name }}", due: 1 day }',
        "a task for concierge, due in 1 day: 'Call {{ profile.first_name }}'",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Step):
    """Makes a task for a person."""

    kind = "task"
    queue: str
    title: str
    body: str = ""
    due: Duration | None = None

    def words(self) -> str:
        """What it does."""
        when = "" if self.due is None else f", due in {format_duration(self.due)}"
        return f"a task for {self.queue}{when}: '{self.title}'"

    def run(self, here: Here) -> Move:
        """Makes the task; its context is what the templates may read."""
        enrollment, context = here.enrollment, here.context()
        title, body = here.fill(self.title), here.fill(self.body)
        if self.due is not None:
            context["due_at"] = format_instant(here.now + self.due)
        here.turn.outputs.append(
            TaskCreated(
                identifier=enrollment.identifier, task_id=digest(enrollment.id, here.instruction.path),
                queue=self.queue, title=title, body=body, journey=enrollment.journey, enrollment=enrollment.id,
                key=enrollment.key, context=context,
            )
        )  # fmt: skip
        return NEXT


def read(node: Located, script: Script) -> Task | None:
    """From a mapping with a queue and a title."""
    reader = Reader(node, script.findings, "'task'")
    queue = reader.text("queue", required=True)
    title = reader.text("title", required=True)
    body = reader.text("body", "") or ""
    due = reader.duration("due")
    reader.close()
    for key in ("title", "body"):
        item = reader.get(key)
        if item is not None and isinstance(item.value, str):
            script.mention("template", item.value, item)
    if queue is None or title is None:
        return None
    return Task(queue=queue, title=title, body=body, due=due, place=node.place)
