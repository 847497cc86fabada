"""Memories in the fold and in content: which word stands, and that what reads it looks again."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from scenario.engine_loop import at, play, strategy

from innkeeper.audiences import parse, print_expression, words
from innkeeper.events.outputs import AudienceEntered, AudienceLeft, TaskCreated
from innkeeper.kernel.time import DAY
from innkeeper.profiles.memories import all_memories
from innkeeper.strategy.load import examine

START = at("2026-01-01T00:00:00Z")


def test_what_was_said_goes_before_what_was_noticed_in_every_order() -> None:
    said: list[tuple[int, str, dict[str, Any]]] = [
        (1, "Memory Noted", {"about": "pillow", "value": "soft", "explicit": True}),
        (2, "Memory Noted", {"about": "pillow", "value": "firm"}),
        (3, "Memory Forgotten", {"about": "coffee"}),
        (2, "Memory Noted", {"about": "coffee", "value": "black", "explicit": True}),
        (4, "Memory Noted", {"about": "coffee", "value": "with milk"}),
        (4, "Memory Noted", {"about": "", "value": "x"}),
        (4, "Memory Noted", {"about": "newspaper", "value": None}),
    ]
    for order in permutations(said):
        loop = play(strategy())
        for place, name, properties in order:
            loop.event(START + place, name, taken=START + DAY, **properties)
        assert all_memories(loop.state) == {"pillow": "soft", "coffee": "with milk"}


def test_an_audience_and_a_task_follow_a_memory() -> None:
    journey = (
        "enter: { entered: soft }\nsteps:\n"
        "  - task: { queue: house, title: '{{ profile.memories.pillow }} for {{ profile.id }}' }\n"
    )
    loop = play(strategy(audiences={"soft": "memory.pillow = 'soft'"}, journeys={"ready": journey}))
    loop.event(START, "Memory Noted", about="pillow", value="soft")
    loop.event(START + 1, "Memory Noted", about="coffee", value="soft")
    loop.event(START + DAY, "Memory Noted", about="pillow", value="none", explicit=True)
    made = [type(each.output) for each in loop.said if isinstance(each.output, AudienceEntered | AudienceLeft)]
    assert made == [AudienceEntered, AudienceLeft]
    [(_, task)] = loop.of(TaskCreated)
    assert task.title.startswith("soft for ")
    assert task.context["profile"]["memories"] == {"pillow": "soft"}


@pytest.mark.parametrize("text", ["memory.pillow = 'soft'", 'memory."her coffee".milk', "memory.pillow is missing"])
def test_it_prints_and_parses_back(text: str) -> None:
    assert print_expression(parse(text)) == text
    assert "what is remembered about" in words(parse(text))


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("audiences/a.yaml", "when: memory.pilow = 'soft'\n", 1),
        ("messages/m.md", "---\nchannel: email\npurpose: p\nsubject: x\n---\nHi\n{{ profile.memories.pilow }}\n", 7),
    ],
)
def test_an_unknown_memory_is_a_finding_with_a_suggestion(file: str, text: str, line: int) -> None:
    files = {
        "strategy.yaml": "memories: [pillow]\n", "policies.yaml": "purposes: { p: { basis: contract } }\n",
        "channels.yaml": "email: { provider: file, from: a@example.com }\n", file: text,
    }  # fmt: skip
    (error,) = examine(files).errors
    assert (error.code, error.file, error.line) == ("unknown-memory", file, line)
    assert "did you mean 'pillow'" in error.fix
