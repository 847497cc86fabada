"""Names that journeys and templates use outside expressions: properties of the entry event, traits, Liquid variables.

`load.py` asks after the expressions are checked; a name that nobody has declared or sent is a finding, as there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from innkeeper.audiences import Catalog
from innkeeper.audiences.check import OWN_OF_ACCOUNT
from innkeeper.audiences.nodes import Path, walk
from innkeeper.audiences.resolve import ITEM
from innkeeper.content.types import Message
from innkeeper.journeys.definition import Clause, EventEntry, ItemEntry, Journey, Step
from innkeeper.journeys.steps.update import Update
from innkeeper.journeys.steps.wait import Wait
from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import Findings, Located, Place
from innkeeper.strategy.read_catalogs import CatalogDefinition

_VARIABLE = re.compile(r"(profile|event|account)\.([A-Za-z_$][\w$]*)")
_ITEMS = re.compile(r"items\.([A-Za-z_$][\w$-]*)")
_DECLARED_UNDER = {"catalog": "a file of catalogs/", "trait": "traits", "account-trait": "accounts: traits"}
# What templates read of a profile besides its traits.
_PROFILE_OWN = frozenset({"id"})


def steps_of(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps and everything inside them."""
    pending = list(steps)
    while pending:
        step = pending.pop()
        yield step
        for _, inner in step.arms():
            pending.extend(inner)


def traits_set(journeys: Mapping[str, Journey]) -> frozenset[str]:
    """The traits that journeys set: nobody has to declare them."""
    return frozenset(
        name
        for journey in journeys.values()
        for step in steps_of(journey.steps)
        if isinstance(step, Update)
        for name, _ in step.traits
    )


@dataclass(frozen=True, slots=True)
class NameChecker:
    """Checks names against a catalog."""

    catalog: Catalog
    findings: Findings
    catalogs: Mapping[str, CatalogDefinition] = field(default_factory=dict)

    def journey(self, journey: Journey, node: Located) -> None:
        """The key, the waits and the templates of a journey."""
        events = {journey.enter.event} if isinstance(journey.enter, EventEntry) else set()
        if journey.key is not None and isinstance(node.value, dict) and "key" in node.value:
            self._property(journey.key.partition(".")[0], events, node.value["key"].place)
        if not isinstance(journey.enter, ItemEntry):
            for clause in journey.clauses:
                self._no_item(clause)
        for step in steps_of(journey.steps):
            if isinstance(step, Wait) and step.anchor is not None:
                self._property(step.anchor.path[0], events, step.place)
        for mention in journey.mentions:
            if mention.kind == "template":
                self._template(mention.name, mention.place, events)

    def _no_item(self, clause: Clause) -> None:
        for node in walk(clause.expression):
            if isinstance(node, Path) and node.root == "event" and node.parts[0] == ITEM:
                where = clause.node.inside(*node.at) if clause.node is not None else clause.place
                self.findings.add(
                    where, "no-item", "item.x is known in journeys that an item enters",
                    "enter: { item: products, change: back_in_stock }",
                )  # fmt: skip

    def message(self, message: Message, journeys: Iterable[Journey]) -> None:
        """The variables of a message; `event.x` must be a property of an event that leads to it."""
        events = {
            journey.enter.event
            for journey in journeys
            if isinstance(journey.enter, EventEntry)
            and any(message.name in step.messages() for step in steps_of(journey.steps))
        }
        for variant in message.variants:
            self._template(variant.subject, Place(variant.place.file, message.place.line, 1), events)
            self._template(variant.body, variant.place, events)

    def _template(self, text: str, place: Place, events: set[str]) -> None:
        if "{" not in text:
            return
        from innkeeper.content.errors import TemplateFailed
        from innkeeper.content.render import variables

        try:
            paths = variables(text)
        except TemplateFailed:  # a finding of its own
            return
        for path in sorted(paths):
            items = _ITEMS.match(path)
            if items is not None and items[1] not in self.catalogs:
                self._unknown("catalog", items[1], "", self.catalogs, place)
            found = _VARIABLE.match(path)
            if found is None:
                continue
            at = max(text.find(found[0]), 0)
            where = Place(
                place.file, place.line + text.count("\n", 0, at), place.column if "\n" not in text[:at] else 1
            )
            if found[1] == "event":
                self._property(found[2], events, where)
            elif found[1] == "account":
                known = {*(self.catalog.account_traits or ()), *OWN_OF_ACCOUNT}
                if found[2] not in known:
                    self._unknown("account-trait", found[2], "", known, where)
            elif found[2] not in self.catalog.trait_names | _PROFILE_OWN:
                self._unknown("trait", found[2], "", self.catalog.trait_names, where)

    def _property(self, name: str, events: set[str], where: Place) -> None:
        known = [self.catalog.properties(event) for event in events]
        if known and all(properties is not None and name not in properties for properties in known):
            names = frozenset().union(*(properties for properties in known if properties is not None))
            of = " or ".join(f"'{event}'" for event in sorted(events))
            self._unknown("property", name, f" of {of}", names, where)

    def _unknown(self, what: str, name: str, of: str, known: Iterable[str], where: Place) -> None:
        self.findings.add(
            where,
            f"unknown-{what}",
            f"nobody has declared or sent the {what} '{name}'{of}",
            did_you_mean(name, known) or f"declare it in strategy.yaml under {_DECLARED_UNDER.get(what, 'events')}",
        )
