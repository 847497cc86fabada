"""The steps, by the key that names them in YAML. To add one: a file here and a line in `STEPS` (docs/add-a-step.md)."""

from __future__ import annotations

from innkeeper.journeys.definition import Step
from innkeeper.journeys.script import Script
from innkeeper.journeys.steps import branch, send, stop, task, update, wait
from innkeeper.journeys.steps.contract import StepKind
from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import Located
from innkeeper.kernel.registry import Registry

STEPS: Registry[StepKind] = Registry(
    "step",
    {
        "send": StepKind(step=send.Send, read=send.read, examples=send.EXAMPLES),
        "wait": StepKind(step=wait.Wait, read=wait.read, examples=wait.EXAMPLES),
        "branch": StepKind(step=branch.Branch, read=branch.read, examples=branch.EXAMPLES),
        "update": StepKind(step=update.Update, read=update.read, examples=update.EXAMPLES),
        "task": StepKind(step=task.Task, read=task.read, examples=task.EXAMPLES),
        "stop": StepKind(step=stop.Stop, read=stop.read, examples=stop.EXAMPLES),
    },
)


def read_step(node: Located, script: Script) -> Step | None:
    """One step of a list: a mapping of one key, or the bare word of a step that needs nothing."""
    known = f"one of: {', '.join(STEPS)}"
    if isinstance(node.value, str) and node.value in STEPS:
        return STEPS[node.value].read(Located(None, node.place), script)
    if not isinstance(node.value, dict) or len(node.value) != 1:
        script.findings.add(node, "not-a-step", f"a step is a mapping of one key, {known}", "- send: welcome-1")
        return None
    name, value = next(iter(node.value.items()))
    if name not in STEPS:
        place = dict(node.keys).get(name, node.place)
        fix = did_you_mean(name, STEPS) or known
        script.findings.add(place, "unknown-step", f"there is no step '{name}'", fix)
        return None
    return STEPS[name].read(value, script)


__all__ = ["STEPS", "StepKind", "read_step"]
