"""`update: { traits: {NAME: VALUE} }` — sets traits of the profile; texts are Liquid.

A text that is one variable and nothing else (`"{{ event.total }}"`) copies the value with its type; null removes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from innkeeper.audiences.types import MISSING
from innkeeper.events.outputs import TraitsUpdated
from innkeeper.events.reserved import is_reserved
from innkeeper.events.types import ENGINE_SOURCE
from innkeeper.journeys.definition import Step
from innkeeper.journeys.moves import NEXT, Move
from innkeeper.kernel.json import canonical
from innkeeper.kernel.located import Located
from innkeeper.profiles.reading import at_path
from innkeeper.profiles.state import Facts
from innkeeper.profiles.traits import set_trait, trait_value

if TYPE_CHECKING:
    from innkeeper.journeys.running import Here
    from innkeeper.journeys.script import Script

EXAMPLES = (
    ("update: { traits: { tier: gold } }", "set traits.tier to 'gold'"),
    ('update: { last_total: "{{ event.total }}" }', "set traits.last_total to '{{ event.total }}'"),
)
_VARIABLE = re.compile(r"\s*\{\{-?\s*([A-Za-z_]\w*(?:\.[A-Za-z_][\w-]*)+)\s*-?\}\}\s*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Step):
    """Sets traits."""

    kind = "update"
    traits: tuple[tuple[str, Any], ...]

    def words(self) -> str:
        """What it does."""
        return ", ".join(
            f"remove traits.{name}" if value is None else f"set traits.{name} to {_quoted(value)}"
            for name, value in self.traits
        )

    def run(self, here: Here) -> Move:
        """Sets the traits under the enrollment's identifier, as of now."""
        turn, enrollment = here.turn, here.enrollment
        values = {name: _value(template, here) for name, template in self.traits}
        message_id = turn.next_message_id()
        facts = turn.state.facts.setdefault(enrollment.identifier, Facts(turn.now, last=turn.now))
        facts.last = max(facts.last, turn.now)
        alone = len(turn.state.facts) == 1
        for name, value in values.items():
            before = trait_value(turn.state, name, turn.rules.merges)
            changed = set_trait(facts, name, value, turn.now, ENGINE_SOURCE, message_id, turn.rules.merges, alone=alone)
            # Under several identifiers a removal may hide a value that stands under another one.
            if changed or before != trait_value(turn.state, name, turn.rules.merges):
                turn.trait_changed(name)
                turn.trace.append(f"update of traits.{name} in journey '{enrollment.journey}'")
        turn.outputs.append(
            TraitsUpdated(
                identifier=enrollment.identifier, journey=enrollment.journey, enrollment=enrollment.id, traits=values
            )
        )
        return NEXT


def _value(template: Any, here: Here) -> Any:
    if not isinstance(template, str):
        return template
    alone = _VARIABLE.match(template)
    if alone:
        found = at_path(here.context(), tuple(alone[1].split(".")))
        return None if found is MISSING else found
    return here.fill(template)


def _quoted(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else canonical(value)


def read(node: Located, script: Script) -> Update | None:
    """From a mapping of traits, either directly or under the key `traits`."""
    value = node.value
    if isinstance(value, dict) and set(value) == {"traits"} and isinstance(value["traits"].value, dict):
        value = value["traits"].value
    if not isinstance(value, dict) or not value:
        script.findings.add(node, "not-traits", "'update' needs traits and their values", "- update: { tier: gold }")
        return None
    for name in filter(is_reserved, value):
        script.findings.add(
            value[name], "reserved-name", f"'{name}' is not for journeys to say", "choose another name for the trait"
        )
    for item in value.values():
        if isinstance(item.value, str):
            script.mention("template", item.value, item)
    return Update(traits=tuple((name, item.plain()) for name, item in value.items()), place=node.place)
