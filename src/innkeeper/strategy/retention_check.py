"""Holds the retention against the definitions: nothing may go while a window still reaches back to it.

What no window bounds (`count('Order Completed')` over all time) is carried when its events go, and needs no check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from innkeeper.audiences.nodes import Aggregate, Expression, walk
from innkeeper.events.retention import KEEP, Retention, Rule
from innkeeper.events.types import ENGINE_SOURCE, RECEIPTS
from innkeeper.journeys.definition import Mention
from innkeeper.kernel.located import Findings, Located, Place
from innkeeper.kernel.time import DAY, Duration, format_duration
from innkeeper.strategy.types import Definitions


def check_retention(definitions: Definitions, findings: Findings) -> None:
    """Add a finding for every rule under which events go that a definition still reads; it names them all."""
    retention = definitions.policies.retention
    if not retention.declared:
        return
    short: dict[tuple[Rule, Place], dict[str, dict[str, Duration]]] = {}
    for owner, place, expression in _conditions(definitions):
        for name, needed in reaches(expression).items():
            rule = _rule_of(retention, name)
            if rule.length is not None and rule.length < needed:
                readers = short.setdefault((rule, rule.place), {}).setdefault(name, {})
                who = f"{owner} ({place.file}:{place.line})"
                readers[who] = max(readers.get(who, 0), needed)
    for (rule, place), events in short.items():
        findings.add(
            place, "retention-too-short",
            "; ".join(
                f"'{name}' is kept for {rule}, but "
                + ", ".join(f"{who} reads it over {format_duration(needed)}" for who, needed in readers.items())
                for name, readers in events.items()
            ),
            "under events, write "
            + ", ".join(f"{name}: {_whole_days(max(readers.values()))}" for name, readers in events.items())
            + " or longer, or shorten the window",
        )  # fmt: skip


def reaches(expression: Expression) -> dict[str, Duration]:
    """How far back a condition's windows reach, by event."""
    found: dict[str, Duration] = {}
    for node in walk(expression):
        if isinstance(node, Aggregate):
            span = node.within or node.before
            if span is not None:
                found[node.event] = max(found.get(node.event, 0), span.horizon)
    return found


def retention_mentions(policies: Located | None) -> Iterator[Mention]:
    """The events that the retention names."""
    retention = _item(policies, "retention")
    events = _item(retention, "events")
    if events is None or not isinstance(events.value, dict):
        return
    places: Mapping[str, Place] = events.keys
    for name in events.value:
        if name != "default":
            yield Mention(kind="event", name=name, place=places[name])


def _item(node: Located | None, key: str) -> Located | None:
    return node.value.get(key) if node is not None and isinstance(node.value, dict) else None


def _conditions(definitions: Definitions) -> Iterator[tuple[str, Place, Expression]]:
    for audience in definitions.audiences.values():
        yield f"the audience '{audience.name}'", audience.place, audience.when
    for audience in definitions.account_audiences.values():
        yield f"the audience of accounts '{audience.name}'", audience.place, audience.when
    for stage in definitions.stages:
        yield f"the stage '{stage.stage}'", stage.place, stage.when
    for journey in definitions.journeys.values():
        for clause in journey.clauses:
            yield f"the journey '{journey.name}'", clause.place, clause.expression


def _rule_of(retention: Retention, name: str) -> Rule:
    rule = retention.rule_of("", name)
    if name not in RECEIPTS:
        return rule
    # Receipts are the engine's; a source may send its own events of that name.
    rules = [each for each in (rule, retention.rule_of(ENGINE_SOURCE, name)) if each.length is not None]
    return min(rules, key=lambda each: each.length or 0, default=KEEP)


def _whole_days(length: Duration) -> str:
    return format_duration(-(-length // DAY) * DAY)
