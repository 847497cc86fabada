"""Journeys made ready to run: steps as a table by path, conditions compiled, entries by event and by audience.

Next in the flow: `enrollment.py` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from innkeeper.audiences.nodes import Expression
from innkeeper.audiences.types import Accumulator, Condition
from innkeeper.content.types import Message
from innkeeper.decisions.candidate import purpose_of
from innkeeper.decisions.policy import Policies
from innkeeper.journeys.definition import AudienceEntry, EventEntry, ItemEntry, Journey, ObjectEntry, Step
from innkeeper.journeys.scoping import KeyPath, asking_for_role
from innkeeper.objects.definition import ObjectType
from innkeeper.profiles.rules import RulesBuilder
from innkeeper.profiles.state import Enrollment

CompileLive = Callable[[Expression], Condition]
Predicate = Callable[[Mapping[str, Any]], bool]
CompileWhere = Callable[[Expression], Predicate]

#: The path of the place after the last step.
FINISHED = "end"


@dataclass(frozen=True, slots=True)
class Instruction:
    """A step at its path; *arms* by label lead to the path of their first step."""

    path: str
    step: Step
    next: str
    conditions: tuple[Condition, ...]
    arms: Mapping[str, str]


@dataclass(slots=True)
class CompiledJourney:
    """One version of a journey, ready to run.

    Attributes:
        bit: Its place in the bitmasks of watchers.
        local: By event name, the summaries that every open enrollment keeps for itself.
        named: In a revision, the id that the enrollment of this entry has; None: the one that its number gives.
    """

    journey: Journey
    bit: int
    key_path: KeyPath | None
    where: Predicate | None
    when: Condition | None
    exits: tuple[Condition, ...]
    goal: Condition | None
    first: str
    program: Mapping[str, Instruction]
    local: dict[str, tuple[Accumulator, ...]] = field(default_factory=dict)
    named: Callable[[Enrollment, int], str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyRules:
    """All journeys of a workspace, and what their steps read.

    Attributes:
        current: The versions that are entered, by name.
        versions: Every version that somebody may still be in, by (name, version).
        counted: Names of the events that open enrollments of some journey count for themselves.
        by_event: Journeys entered by an event, by its name.
        by_change: Journeys entered by a change of audience, by (audience, whether entered).
        service: The versions whose timers a busy tick takes first (`service_journeys`).
        by_item: Journeys entered by a change of an item that was asked for, by (catalog, change).
        by_thing: Journeys entered by a change of an object, by (type, change).
        by_date: Journeys entered at a date of an object, each with the type.
    """

    current: Mapping[str, CompiledJourney]
    versions: Mapping[tuple[str, str], CompiledJourney]
    counted: frozenset[str]
    by_event: Mapping[str, tuple[CompiledJourney, ...]]
    by_change: Mapping[tuple[str, bool], tuple[CompiledJourney, ...]]
    messages: Mapping[str, Message]
    policies: Policies
    workspace: str
    service: frozenset[tuple[str, str]] = frozenset()
    by_item: Mapping[tuple[str, str], tuple[CompiledJourney, ...]] = field(default_factory=dict)
    by_thing: Mapping[tuple[str, str], tuple[CompiledJourney, ...]] = field(default_factory=dict)
    by_date: tuple[tuple[str, CompiledJourney], ...] = ()

    def find(self, name: str, version: str) -> CompiledJourney | None:
        """The version that an enrollment runs on: its own, else the current one; None when there is none."""
        return self.versions.get((name, version)) or self.current.get(name)


def compile_journeys(
    journeys: Mapping[str, Journey],
    earlier: Iterable[Journey],
    builder: RulesBuilder,
    compile_live: CompileLive,
    compile_where: CompileWhere,
    objects: Mapping[str, ObjectType],
) -> tuple[dict[str, CompiledJourney], dict[tuple[str, str], CompiledJourney]]:
    """Compile the current journeys and the earlier versions of them, and tell the builder what they read."""
    current: dict[str, CompiledJourney] = {}
    versions: dict[tuple[str, str], CompiledJourney] = {}
    for journey in [*journeys.values(), *earlier]:
        mark = (journey.name, journey.version)
        if mark in versions:
            continue
        live = partial(asking_for_role, compile_live)
        compiled = _compile(journey, 1 << len(versions), builder, live, compile_where, objects)
        versions[mark] = compiled
        if journeys.get(journey.name) is journey:
            current[journey.name] = compiled
    return current, versions


def service_journeys(
    versions: Mapping[tuple[str, str], CompiledJourney], messages: Mapping[str, Message], policies: Policies
) -> frozenset[tuple[str, str]]:
    """The versions that serve rather than sell: by their purpose, else by any message that is no marketing.

    One that sends nothing makes work for people or sets traits; it serves too.
    """
    found = set()
    for mark, compiled in versions.items():
        journey = compiled.journey
        sent = {name for each in compiled.program.values() for name in each.step.messages()}
        purposes = {messages[name].purpose for name in sent if name in messages}
        if journey.purpose is not None:
            purposes = {journey.purpose}
        if not sent or any(purpose_of(policies, name).kind != "marketing" for name in purposes):
            found.add(mark)
    return frozenset(found)


def entries(
    current: Mapping[str, CompiledJourney],
) -> tuple[dict[str, tuple[CompiledJourney, ...]], dict[tuple[str, bool], tuple[CompiledJourney, ...]]]:
    """The journeys by what they are entered by, each in the order of their names."""
    by_event: dict[str, tuple[CompiledJourney, ...]] = {}
    by_change: dict[tuple[str, bool], tuple[CompiledJourney, ...]] = {}
    for _, compiled in sorted(current.items()):
        match compiled.journey.enter:
            case EventEntry(event=event):
                by_event[event] = (*by_event.get(event, ()), compiled)
            case AudienceEntry(audience=audience, change=change):
                mark = (audience, change == "entered")
                by_change[mark] = (*by_change.get(mark, ()), compiled)
    return by_event, by_change


def item_entries(current: Mapping[str, CompiledJourney]) -> dict[tuple[str, str], tuple[CompiledJourney, ...]]:
    """The journeys that are entered by a change of an item, each in the order of their names."""
    found: dict[tuple[str, str], tuple[CompiledJourney, ...]] = {}
    for _, compiled in sorted(current.items()):
        enter = compiled.journey.enter
        if isinstance(enter, ItemEntry):
            mark = (enter.catalog, enter.change)
            found[mark] = (*found.get(mark, ()), compiled)
    return found


def _compile(
    journey: Journey, bit: int, builder: RulesBuilder, live: CompileLive, compile_where: CompileWhere,
    objects: Mapping[str, ObjectType],
) -> CompiledJourney:  # fmt: skip
    where = journey.enter.where if isinstance(journey.enter, EventEntry) else None
    program: dict[str, Instruction] = {}
    first = _lay_out(journey.steps, "", FINISHED, program, live)
    compiled = CompiledJourney(
        journey=journey, bit=bit, key_path=key_path_of(journey, objects),
        where=None if where is None else compile_where(where),
        when=None if journey.when is None else live(journey.when),
        exits=tuple(live(each) for each in journey.exits),
        goal=None if journey.goal is None else live(journey.goal.when), first=first, program=program,
    )  # fmt: skip
    _tell(compiled, builder)
    return compiled


def key_path_of(journey: Journey, objects: Mapping[str, ObjectType]) -> KeyPath | None:
    """Where events carry the journey's key: a property, or the ids of an object type."""
    if journey.key is None:
        return None
    of = objects.get(journey.key)
    if of is None:
        return KeyPath(tuple(journey.key.split(".")))
    return KeyPath(of.id, {name: each.id for name, each in of.events.items() if each.id != of.id}, of.name)


def by_object(
    current: Mapping[str, CompiledJourney],
) -> tuple[dict[tuple[str, str], tuple[CompiledJourney, ...]], tuple[tuple[str, CompiledJourney], ...]]:
    """The journeys that objects begin: by (type, change), and those at a date; in the order of their names."""
    by_thing: dict[tuple[str, str], tuple[CompiledJourney, ...]] = {}
    by_date: list[tuple[str, CompiledJourney]] = []
    for _, compiled in sorted(current.items()):
        match compiled.journey.enter:
            case ObjectEntry(object=of, on=str(on)):
                by_thing[of, on] = (*by_thing.get((of, on), ()), compiled)
            case ObjectEntry(object=of):
                by_date.append((of, compiled))
    return by_thing, tuple(by_date)


def _lay_out(
    steps: tuple[Step, ...], prefix: str, after: str, program: dict[str, Instruction], live: CompileLive
) -> str:
    """Put a list of steps into the program; the path of its first, or *after* when it is empty."""
    for number, step in enumerate(steps):
        path = f"{prefix}{number}"
        following = f"{prefix}{number + 1}" if number + 1 < len(steps) else after
        arms = {label: _lay_out(inside, f"{path}.{label}.", following, program, live) for label, inside in step.arms()}
        program[path] = Instruction(path, step, following, tuple(live(each) for each in step.conditions()), arms)
    return f"{prefix}0" if steps else after


def _tell(compiled: CompiledJourney, builder: RulesBuilder) -> None:
    own = [*compiled.exits, *([compiled.goal] if compiled.goal else [])]
    whole = [compiled.when] if compiled.when else []
    for instruction in compiled.program.values():
        (own if instruction.step.own_scope else whole).extend(instruction.conditions)
    for condition in whole:
        builder.need(condition)
    if compiled.key_path is not None and compiled.key_path.about is not None:
        builder.watch_thing(("object", compiled.key_path.about), compiled.bit)
    if any(instruction.step.follows_object for instruction in compiled.program.values()):
        builder.watch_zone(compiled.bit)
    local: dict[str, dict[str, Accumulator]] = {}
    for condition in own:
        builder.watch(condition, compiled.bit)
        for accumulator in condition.accumulators:
            if accumulator.windowed and compiled.key_path is None:
                builder.need_one(accumulator, watchers=compiled.bit)
                continue
            builder.watch_event(accumulator.event, compiled.bit)
            if accumulator.windowed and compiled.key_path is not None:
                builder.need_partitioned(accumulator, compiled.key_path.of(accumulator.event))
            else:
                local.setdefault(accumulator.event, {})[accumulator.key] = accumulator
    compiled.local = {event: tuple(found.values()) for event, found in local.items()}
