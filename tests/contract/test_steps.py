"""Every kind of step reads its examples, says them in words, and refuses what is wrong with a finding."""

from __future__ import annotations

import pytest
from scenario.engine_loop import play, strategy

from innkeeper.journeys.script import Script
from innkeeper.journeys.steps import STEPS, read_step
from innkeeper.kernel.located import Findings
from innkeeper.strategy.yaml import read_yaml

EXAMPLES = [(name, text, words) for name, kind in STEPS.items() for text, words in kind.examples]


@pytest.mark.parametrize(("name", "text", "words"), EXAMPLES)
def test_the_examples_are_read_and_said_in_words(name: str, text: str, words: str) -> None:
    findings = Findings()
    node = read_yaml(text, "step.yaml", findings)
    assert node is not None
    step = read_step(node, Script(findings))
    assert findings.problems == []
    assert step is not None
    assert (type(step), step.kind) == (STEPS[name].step, name)
    assert step.words() == words


@pytest.mark.parametrize("name", list(STEPS))
def test_every_step_has_a_docstring_and_an_example(name: str) -> None:
    kind = STEPS[name]
    assert kind.examples
    assert kind.step.__doc__
    assert kind.step.kind == name


@pytest.mark.parametrize(("name", "text", "words"), EXAMPLES)
def test_a_journey_with_the_example_compiles_and_runs(name: str, text: str, words: str) -> None:
    indented = "\n".join(("  - " if number == 0 else "    ") + line for number, line in enumerate(text.split("\n")))
    journey = f"enter: {{event: Start}}\nsteps:\n{indented}\n"
    loop = play(strategy(journeys={"j": journey}, messages=["welcome-1", "first-stay-tips"]))
    loop.event("2026-01-01T00:00:00Z", "Start", arrival="2026-02-01", total=5, traits={"email": "a@b.example"})
    loop.until("2026-12-31T00:00:00Z")
    assert loop.said
    assert loop.state.enrollments == []
