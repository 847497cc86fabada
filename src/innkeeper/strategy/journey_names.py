"""Names that journeys and templates use outside expressions: properties of the entry event, traits, Liquid variables.

`load.py` asks after the expressions are checked; a name that nobody has declared or sent is a finding, as there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from innkeeper.audiences import Catalog
from innkeeper.audiences.check import OWN_OF_ACCOUNT
from innkeeper.audiences.nodes import Path, walk
from innkeeper.audiences.resolve import ITEM
from innkeeper.content.types import Message
from innkeeper.journeys.definition import Clause, EventEntry, ItemEntry, Journey, ObjectEntry, Step
from innkeeper.journeys.instants import Anchor
from innkeeper.journeys.steps.update import Update
from innkeeper.journeys.steps.wait import Wait
from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import Findings, Located, Place
from innkeeper.objects.definition import ObjectType
from innkeeper.strategy.read_catalogs import CatalogDefinition

_VARIABLE = re.compile(r"([a-z_]\w*)\.([A-Za-z_$][\w$]*)")
_ITEMS = re.compile(r"items\.([A-Za-z_$][\w$-]*)")
_MEMORY = re.compile(r"profile\.memories\.([A-Za-z_$][\w$]*)")
_DECLARED_UNDER = {
    "catalog": "a file of catalogs/", "trait": "traits", "account-trait": "accounts: traits", "memory": "memories",
}  # fmt: skip
# What templates read of a profile besides its traits.
_PROFILE_OWN = frozenset({"id", "memories"})


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


def _events(journey: Journey) -> frozenset[str]:
    return frozenset({journey.enter.event}) if isinstance(journey.enter, EventEntry) else frozenset()


def _known(about: ObjectType | None) -> dict[str, ObjectType]:
    return {} if about is None else {about.name: about}


def _entry_place(node: Located) -> Place:
    entry = node.value.get("enter") if isinstance(node.value, dict) else None
    inside = entry.value.get("at") if entry is not None and isinstance(entry.value, dict) else None
    return (inside or entry or node).place


@dataclass(frozen=True, slots=True)
class NameChecker:
    """Checks names against a catalog."""

    catalog: Catalog
    findings: Findings
    catalogs: Mapping[str, CatalogDefinition] = field(default_factory=dict)

    def journey(self, journey: Journey, node: Located) -> None:
        """The key, the dates, the object and the templates of a journey."""
        events = _events(journey)
        about = self.catalog.objects.get(journey.key or "")
        if journey.key is not None and isinstance(node.value, dict) and "key" in node.value and about is None:
            self._property(journey.key.partition(".")[0], events, node.value["key"].place)
        if not isinstance(journey.enter, ItemEntry):
            for clause in journey.clauses:
                self._no_item(clause)
        if isinstance(journey.enter, ObjectEntry) and journey.enter.at is not None and about is not None:
            self._date(journey.enter.at, about, _entry_place(node))
        for step in steps_of(journey.steps):
            if isinstance(step, Wait) and step.anchor is not None:
                if step.anchor.object is not None:
                    self._date(step.anchor, about, step.place)
                elif not isinstance(journey.enter, ObjectEntry):
                    self._property(step.anchor.path[0], events, step.place)
        for clause in journey.clauses:
            self._clause(clause, about)
            if not isinstance(journey.enter, ItemEntry):
                self._no_item(clause)
        for mention in journey.mentions:
            if mention.kind == "template":
                self._template(mention.name, mention.place, events, _known(about))

    def _no_item(self, clause: Clause) -> None:
        for node in walk(clause.expression):
            if isinstance(node, Path) and node.root == "event" and node.parts[0] == ITEM:
                where = clause.node.inside(*node.at) if clause.node is not None else clause.place
                self.findings.add(
                    where, "no-item", "item.x is known in journeys that an item enters",
                    "enter: { item: products, change: back_in_stock }",
                )  # fmt: skip

    def message(self, message: Message, journeys: Iterable[Journey]) -> None:
        """The variables of a message: `event.x` must be of an event that leads to it, `booking.x` of such an object."""
        senders = [each for each in journeys if any(message.name in step.messages() for step in steps_of(each.steps))]
        events = frozenset().union(*(_events(each) for each in senders))
        abouts = [self.catalog.objects.get(each.key or "") for each in senders]
        objects = {each.name: each for each in abouts if each is not None} if senders else dict(self.catalog.objects)
        for variant in message.variants:
            self._template(variant.subject, Place(variant.place.file, message.place.line, 1), events, objects)
            self._template(variant.body, variant.place, events, objects)

    def _template(self, text: str, place: Place, events: Collection[str], objects: Mapping[str, ObjectType]) -> None:
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
            if (about := _MEMORY.match(path)) is not None:
                if about[1] not in self.catalog.memories:
                    self._unknown("memory", about[1], "", self.catalog.memories, where)
                continue
            self._variable(found[1], found[2], events, objects, where)

    def _variable(
        self, root: str, name: str, events: Collection[str], objects: Mapping[str, ObjectType], where: Place
    ) -> None:
        if root == "event":
            self._property(name, events, where)
        elif root == "account":
            of_account = {*(self.catalog.account_traits or ()), *OWN_OF_ACCOUNT}
            if name not in of_account:
                self._unknown("account-trait", name, "", of_account, where)
        elif root == "profile" and name not in self.catalog.trait_names | _PROFILE_OWN:
            self._unknown("trait", name, "", self.catalog.trait_names, where)
        elif root in self.catalog.objects:
            if root not in objects:
                self._not_about(root, where)
                return
            known = objects[root].names - {"role"} | {"roles"}
            if name not in known:
                self._unknown("property", name, f" of the object '{root}'", known, where)

    def _clause(self, clause: Clause, about: ObjectType | None) -> None:
        known = self.catalog.objects.keys() - ({about.name} if about is not None else set())
        for each in walk(clause.expression):
            if isinstance(each, Path) and each.root == "object" and each.parts[0] in known:
                place = clause.place if clause.node is None else clause.node.inside(*each.at)
                self._not_about(each.parts[0], place)

    def _date(self, anchor: Anchor, about: ObjectType | None, where: Place) -> None:
        of = anchor.object or ""
        if about is None or about.name != of:
            if of in self.catalog.objects:
                self._not_about(of, where)
            else:
                known = {*self.catalog.objects, "event"}
                self.findings.add(
                    where, "unknown-object", f"there is no object type '{of}' for the date '{anchor.name}'",
                    did_you_mean(of, known) or "declare it in strategy.yaml under objects",
                )  # fmt: skip
        elif anchor.path[0] not in about.dates:
            message = f"'{anchor.path[0]}' is no date of the object type '{of}'"
            fix = did_you_mean(anchor.path[0], about.dates) or f"declare it under objects: {of}: dates"
            self.findings.add(where, "unknown-date", message, fix)

    def _not_about(self, of: str, where: Place) -> None:
        message = f"this is not about one {of}: the journey has no 'key: {of}'"
        self.findings.add(where, "no-object", message, f"add key: {of}, so that there is one enrollment per {of}")

    def _property(self, name: str, events: Collection[str], where: Place) -> None:
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
